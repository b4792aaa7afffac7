//! Answers that no broker gave: of every API and version, understood by the oracle, naming what the request names.

mod common;

use std::collections::BTreeSet;

use bytes::Bytes;
use common::read::Api;
use common::{Side, Writer, every, table};
use kafka_protocol::messages::{ApiKey, ResponseHeader, ResponseKind};
use kafka_protocol::protocol::Decodable;
use partywall_event_scope::kafka::codec::{
    self, Editor, Mark, Place, Problem, Reach, Scratch, Verdict, answer, merge, merge_within,
};

const CODE: i16 = 29;
const LARGEST: usize = 1 << 20;

/// Writes down names and errors.
#[derive(Default)]
struct Record {
    names: Vec<(Mark, Vec<u8>)>,
    errors: Vec<i64>,
}

impl Editor for Record {
    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        let aside = ["ForgottenTopicsData", "Assignments", "Cursor", "NodeEndpoints"].contains(&place.within);
        match place.mark {
            Mark::Error => self.errors.extend(place.value.number()),
            Mark::Topic
            | Mark::TopicId
            | Mark::Group
            | Mark::Transaction
            | Mark::Key
            | Mark::Resource
            | Mark::User
            | Mark::Entity
            | Mark::Partition
                if !aside && !place.indexes.is_empty() =>
            {
                let number = place.value.number().map(|number| number.to_be_bytes().to_vec());
                self.names.push((place.mark, place.bytes().map(<[u8]>::to_vec).or(number).unwrap_or_default()));
            }
            _ => {}
        }
        Verdict::Keep
    }
}

fn judged(api: &Api, version: u8, frame: &[u8], reach: Reach) -> (Record, usize) {
    let name = format!("{} {version} {reach:?}", api.name);
    let mut out = b"before".to_vec();
    answer(frame, CODE, reach, LARGEST, &mut out).unwrap_or_else(|error| panic!("{name}: {error}"));
    let out = &out[b"before".len()..];
    let (length, response) = out.split_at(4);
    assert_eq!(length, i32::try_from(response.len()).unwrap().to_be_bytes(), "{name}");
    assert_eq!(response[..4], 7_i32.to_be_bytes(), "{name}: the correlation id");

    let version = i16::from(version);
    let mut record = Record::default();
    let scratch = &mut Scratch::default();
    let splice = codec::response(api.key, version, response, &mut record, scratch);
    assert!(splice.unwrap_or_else(|error| panic!("{name}: {error}")).is_unchanged(), "{name}");
    if let Ok(key) = ApiKey::try_from(api.key) {
        let mut bytes = Bytes::copy_from_slice(response);
        ResponseHeader::decode(&mut bytes, key.response_header_version(version)).unwrap();
        match ResponseKind::decode(key, &mut bytes, version) {
            Ok(_) => assert!(bytes.is_empty(), "{name}: {} bytes left over", bytes.len()),
            Err(error) => assert!(format!("{error:#}").contains("version not supported"), "{name}: {error:#}"),
        }
    }
    (record, response.len())
}

#[test]
fn an_answer_names_what_the_request_names() {
    let table = table();
    let (mut silent, mut named, mut most) = (BTreeSet::new(), 0, 0);
    for (api, version, _) in every(&table).filter(|(.., side)| *side == Side::Request) {
        silent.insert(format!("{} {version}", api.name));
        for seed in 0..20 {
            let name = format!("{} {version}, seed {seed}", api.name);
            let (frame, _) = Writer::new(seed, api, version, Side::Request).frame(api, Side::Request);
            let mut asked = Record::default();
            codec::request(&frame, &mut asked, &mut Scratch::default()).unwrap();

            let (each, size) = judged(api, version, &frame, Reach::Each);
            most = most.max(size * 10 / frame.len());
            // What is mirrored comes in the order of the request; what an answer does not mirror is zero or empty.
            let known: Vec<_> = each.names.iter().filter(|(_, value)| value.iter().any(|byte| *byte != 0)).collect();
            for mark in [Mark::Topic, Mark::TopicId, Mark::Group, Mark::Transaction, Mark::Key, Mark::Partition] {
                let mut rest = asked.names.iter().filter(|(of, _)| *of == mark);
                for known in known.iter().filter(|(of, _)| *of == mark) {
                    assert!(rest.any(|name| name == *known), "{name}: {known:?} out of place");
                }
            }
            let codes = |record: &Record| record.errors.iter().filter(|code| **code == i64::from(CODE)).count();
            let partitions = known.iter().filter(|(mark, _)| *mark == Mark::Partition).count();
            assert!(codes(&each) >= partitions, "{name}: {} errors of {partitions} partitions", codes(&each));
            named += known.len();
            if codes(&each) > 0 {
                silent.remove(&format!("{} {version}", api.name));
            }

            let (whole, _) = judged(api, version, &frame, Reach::Whole);
            let top = api.response.fields.iter().any(|field| {
                let here = field.versions.is_none_or(|(first, last)| first <= version && version <= last);
                here && field.mark.as_ref().is_some_and(|(mark, _)| mark == "error")
            });
            if top {
                assert!(codes(&whole) == 1 && whole.names.is_empty(), "{name}: {:?}", whole.errors);
            } else {
                assert_eq!((whole.errors, whole.names), (each.errors, each.names), "{name}");
            }
        }
    }
    let silent: Vec<String> = silent.into_iter().collect();
    let listed = [
        // Its answers list what brokers know of directories, not what was asked.
        "AlterReplicaLogDirs 1",
        "AlterReplicaLogDirs 2",
        "DescribeLogDirs 1",
        "DescribeLogDirs 2",
    ];
    assert_eq!(silent, listed, "answers without an error");
    assert!(named > 5000, "{named}");
    assert!(most <= 80, "an answer is {most} tenths of its request");
}

#[test]
fn produce_is_denied_by_partition() {
    let mut frame = [0, 0, 0, 3, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0, 0, 9].to_vec();
    frame.extend([0, 0, 0, 2]);
    for topic in ["a", "bc"] {
        frame.extend(i16::try_from(topic.len()).unwrap().to_be_bytes());
        frame.extend(topic.as_bytes());
        frame.extend([0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 2, 0xaa, 0xbb]);
    }
    let mut wanted = [0, 0, 0, 71, 0, 0, 0, 7, 0, 0, 0, 2].to_vec();
    for topic in ["a", "bc"] {
        wanted.extend(i16::try_from(topic.len()).unwrap().to_be_bytes());
        wanted.extend(topic.as_bytes());
        wanted.extend([0, 0, 0, 1, 0, 0, 0, 5, 0, 29]);
        wanted.extend((-1_i64).to_be_bytes());
        wanted.extend((-1_i64).to_be_bytes());
    }
    wanted.extend([0; 4]);
    let mut out = Vec::new();
    answer(&frame, CODE, Reach::Each, LARGEST, &mut out).unwrap();
    assert_eq!(out, wanted);
}

#[test]
fn what_cannot_be_read_is_not_answered() {
    let mut frame = [0, 0, 0, 3, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0, 0, 9].to_vec();
    for count in [[0x7f, 0xff, 0xff, 0xff], [0, 0, 0, 1], [0xff, 0xff, 0xff, 0xfe]] {
        let mut out = b"before".to_vec();
        let frame = [frame.as_slice(), &count].concat();
        assert!(answer(&frame, CODE, Reach::Each, LARGEST, &mut out).is_err(), "{count:?}");
        assert_eq!(out, b"before", "nothing half");
    }
    frame[3] = 99;
    assert!(answer(&frame, CODE, Reach::Whole, LARGEST, &mut Vec::new()).is_err(), "a version that is not understood");
}

/// Drops the elements of outermost lists whose number says so.
struct Half {
    even: bool,
    outermost: &'static [Mark],
}

impl Editor for Half {
    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        match place.indexes {
            [n] if self.outermost.contains(&place.mark) && n.is_multiple_of(2) == self.even => Verdict::Drop(1),
            _ => Verdict::Keep,
        }
    }
}

#[test]
fn two_answers_become_that_of_the_whole() {
    let table = table();
    let mut merged = 0;
    for (api, version, _) in every(&table).filter(|(.., side)| *side == Side::Request) {
        // Of two lists that are mirrored one after the other, halves would come in another order.
        let lists: Vec<_> = api.response.fields.iter().filter(|field| !field.each.is_empty()).collect();
        let outermost: &'static [Mark] = match api.key {
            0..=3 | 8 | 19 | 21 | 23 | 28 | 37 | 43 | 45 | 55 | 61 | 75 | 78 | 79 | 91 | 92 => {
                &[Mark::Topic, Mark::TopicId]
            }
            10 if version >= 4 => &[Mark::Key],
            15 | 42 | 69 | 77 | 89 => &[Mark::Group],
            32 | 33 | 44 => &[Mark::Resource],
            65 => &[Mark::Transaction],
            _ => continue,
        };
        for seed in 0..20 {
            let name = format!("{} {version}, seed {seed}", api.name);
            let (frame, _) = Writer::new(seed, api, version, Side::Request).frame(api, Side::Request);
            let version = i16::from(version);
            let answered = |request: &[u8]| {
                let mut out = Vec::new();
                answer(request, CODE, Reach::Each, LARGEST, &mut out).unwrap();
                out.split_off(4)
            };
            let half = |even| {
                let scratch = &mut Scratch::default();
                let half =
                    codec::request(&frame, &mut Half { even, outermost }, scratch).unwrap().to_vec().split_off(4);
                answered(&half)
            };
            let (odd, even) = (half(true), half(false));
            let scratch = &mut Scratch::default();
            let both = merge(api.key, version, &odd, &even, scratch).unwrap().to_vec().split_off(4);
            // The same names, those of one half behind those of the other.
            let names = |frame: &[u8]| {
                let mut record = Record::default();
                let scratch = &mut Scratch::default();
                assert!(
                    codec::response(api.key, version, frame, &mut record, scratch).unwrap().is_unchanged(),
                    "{name}"
                );
                (record.names, record.errors.len())
            };
            let (odd, even, both, whole) = (names(&odd), names(&even), names(&both), names(&answered(&frame)));
            assert_eq!(both.0, [odd.0, even.0].concat(), "{name}");
            assert_eq!(both.0.len(), whole.0.len(), "{name}");
            merged += lists.len();
        }
    }
    assert!(merged > 2000, "{merged}");
}

/// Keeps every second topic of each group.
struct HalfWithin {
    even: bool,
}

impl Editor for HalfWithin {
    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        match (place.mark, place.indexes) {
            (Mark::Topic | Mark::TopicId, [_, topic, ..]) if topic.is_multiple_of(2) != self.even => Verdict::Drop(1),
            _ => Verdict::Keep,
        }
    }
}

/// Groups, and the topics in each.
#[derive(Default)]
struct Groups(Vec<(Vec<u8>, Vec<Vec<u8>>)>);

impl Editor for Groups {
    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        let bytes = place.bytes().unwrap_or_default().to_vec();
        match place.mark {
            Mark::Group => self.0.push((bytes, Vec::new())),
            Mark::Topic => self.0.last_mut().unwrap().1.push(bytes),
            // Share groups have both.
            Mark::TopicId if place.within == "Topics" && bytes != [0; 16] => self.0.last_mut().unwrap().1.push(bytes),
            _ => {}
        }
        Verdict::Keep
    }
}

#[test]
fn what_is_answered_within_groups_stands_within_them() {
    let table = table();
    let mut merged = 0;
    for (api, version, _) in every(&table).filter(|(.., side)| *side == Side::Request) {
        if !(api.key == 9 && version >= 8 || api.key == 90) {
            continue;
        }
        for seed in 0..60 {
            let name = format!("{} {version}, seed {seed}", api.name);
            let (frame, _) = Writer::new(seed, api, version, Side::Request).frame(api, Side::Request);
            let version = i16::from(version);
            let scratch = &mut Scratch::default();
            let mut half = |even| {
                let half = codec::request(&frame, &mut HalfWithin { even }, scratch).unwrap().to_vec();
                let mut out = Vec::new();
                answer(&half[4..], CODE, Reach::Each, LARGEST, &mut out).unwrap();
                out.split_off(4)
            };
            let (even, odd) = (half(true), half(false));
            let groups = |frame: &[u8]| {
                let mut groups = Groups::default();
                let scratch = &mut Scratch::default();
                let splice = codec::response(api.key, version, frame, &mut groups, scratch);
                assert!(splice.expect(&name).is_unchanged());
                groups.0
            };
            let both = merge_within(api.key, version, &even, &odd, scratch).unwrap().to_vec();
            assert_eq!(both[..4], i32::try_from(both.len() - 4).unwrap().to_be_bytes());
            let mut wanted = groups(&even);
            for (group, more) in wanted.iter_mut().zip(groups(&odd)) {
                assert_eq!(group.0, more.0);
                group.1.extend(more.1);
                merged += 1;
            }
            assert_eq!(groups(&both[4..]), wanted, "{name}");
            // Groups that the other does not list stand behind its own.
            let none = codec::response(api.key, version, &even, &mut NoGroup, scratch).unwrap().to_vec();
            let both = merge_within(api.key, version, &none[4..], &odd, scratch).unwrap().to_vec();
            let mut wanted = groups(&odd);
            wanted.sort_by_key(|(group, _)| group.clone());
            assert_eq!(groups(&both[4..]), wanted, "{name}");
            for size in 0..even.len() {
                assert!(merge_within(api.key, version, &even[..size], &odd, scratch).is_err(), "{name}: {size}");
                assert!(merge_within(api.key, version, &odd, &even[..size], scratch).is_err(), "{name}: {size}");
            }
        }
    }
    assert!(merged > 200, "{merged}");
    let scratch = &mut Scratch::default();
    let heartbeat = [0, 0, 0, 7, 0, 0];
    let error = merge_within(12, 0, &heartbeat, &heartbeat, scratch).map(|_| ()).unwrap_err();
    assert_eq!(error.problem, Problem::Edit);
}

/// Lists no group.
struct NoGroup;

impl Editor for NoGroup {
    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        if place.mark == Mark::Group { Verdict::Drop(1) } else { Verdict::Keep }
    }
}

#[test]
fn what_lists_nothing_is_not_merged() {
    let scratch = &mut Scratch::default();
    let heartbeat = [0, 0, 0, 7, 0, 0];
    let error = merge(12, 0, &heartbeat, &heartbeat, scratch).map(|_| ()).unwrap_err();
    assert_eq!(error.problem, Problem::Edit);
    let produce = [0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0];
    assert!(merge(0, 3, &produce, &produce, scratch).is_ok());
    for size in 0..produce.len() {
        assert!(merge(0, 3, &produce[..size], &produce, scratch).is_err(), "{size}");
        assert!(merge(0, 3, &produce, &produce[..size], scratch).is_err(), "{size}");
    }
    assert!(merge(0, 3, &produce, &[produce.as_slice(), &[0]].concat(), scratch).is_err(), "a byte more");
}

#[test]
fn an_answer_is_no_longer_than_it_may_be() {
    // DescribeTransactions of 10,000 names that are empty: 12 KB of request, 290 KB of answer.
    let mut frame = [0, 65, 0, 0, 0, 0, 0, 7, 0xff, 0xff, 0].to_vec();
    frame.extend([0x91, 0x4e]);
    frame.extend([1; 10_000]);
    frame.push(0);
    let mut out = Vec::new();
    answer(&frame, CODE, Reach::Each, LARGEST, &mut out).unwrap();
    let size = out.len();
    assert!(size > 20 * frame.len() && size < 32 * frame.len(), "{size} for {}", frame.len());
    let mut out = b"before".to_vec();
    answer(&frame, CODE, Reach::Each, size, &mut out).expect("just as long as it may be");
    let mut out = b"before".to_vec();
    let error = answer(&frame, CODE, Reach::Each, size - 1, &mut out).unwrap_err();
    assert_eq!((error.problem, out.as_slice()), (Problem::TooLong, b"before".as_slice()));
    assert!(out.capacity() < 2 * size, "it stops where it is too long");
}

#[test]
fn api_versions_of_any_version_is_answered() {
    let frame = [0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 1, 2, 3];
    let mut out = Vec::new();
    answer(&frame, 35, Reach::Whole, LARGEST, &mut out).unwrap();
    assert_eq!(out, [0, 0, 0, 10, 0, 0, 0, 7, 0, 35, 0, 0, 0, 0]);
    let scratch = &mut Scratch::default();
    assert!(codec::response(18, 3, &out[4..], &mut (), scratch).unwrap().is_unchanged());
}
