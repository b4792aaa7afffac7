//! What an editor is told of a place, and what is made of what it says.

mod common;

use bytes::{Bytes, BytesMut};
use common::Writer;
use common::editors::sent;
use kafka_protocol::messages::consumer_protocol_subscription::TopicPartition;
use kafka_protocol::messages::fetch_response::NodeEndpoint;
use kafka_protocol::messages::{ConsumerProtocolSubscription, FetchRequest, FetchResponse, MetadataResponse};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use partywall_event_scope::kafka::codec::{self, Editor, Mark, Marks, Place, Problem, Scratch, Value, Verdict};

/// An editor of one closure.
struct With<F>(F);

impl<F: FnMut(&Place<'_>, &mut Vec<u8>) -> Verdict> Editor for With<F> {
    fn place(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        (self.0)(place, new)
    }
}

type Seen = Vec<(Mark, &'static str, String)>;

/// Mark, surrounding field and the rest of each place.
fn seen(walk: impl FnOnce(&mut dyn Editor, &mut Scratch)) -> Seen {
    let mut seen = Seen::new();
    let mut editor = With(|place: &Place<'_>, _: &mut Vec<u8>| {
        let shown = |value: Value<'_>| match value {
            Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Value::Number(number) => number.to_string(),
            Value::Null => "null".to_owned(),
            Value::List(count) => format!("{count} of them"),
        };
        let mut rest = shown(place.value);
        for (name, value) in [("kind", place.kind), ("pattern", place.pattern)] {
            rest += &value.map(|value| format!(", {name} {}", shown(value))).unwrap_or_default();
        }
        rest += &format!(" {:?}", place.indexes);
        seen.push((place.mark, place.within, rest));
        Verdict::Keep
    });
    walk(&mut editor, &mut Scratch::default());
    seen
}

fn seen_in_request(api: i16, version: i16, body: &[u8]) -> Seen {
    let frame = request(api, version, body);
    seen(|editor, scratch| {
        codec::request(&frame, editor, scratch).unwrap();
    })
}

fn request(api: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut frame = [api.to_be_bytes(), version.to_be_bytes()].concat();
    frame.extend([0, 0, 0, 7, 0xff, 0xff]);
    frame.extend(body);
    frame
}

fn tuple(mark: Mark, within: &'static str, rest: &str) -> (Mark, &'static str, String) {
    (mark, within, rest.to_owned())
}

#[test]
fn a_key_knows_its_kind_though_that_comes_later() {
    // FindCoordinator 0 has no kind, 1 has it behind the key, 4 before the keys and behind a header with tags.
    let client = tuple(Mark::ClientId, "", "null []");
    assert_eq!(seen_in_request(10, 0, b"\0\x01g"), [client.clone(), tuple(Mark::Key, "", "g []")]);
    let kind = tuple(Mark::KeyType, "", "1 []");
    let key = tuple(Mark::Key, "", "x, kind 1 []");
    assert_eq!(seen_in_request(10, 1, b"\0\x01x\x01"), [client.clone(), key, kind.clone()]);
    let keys = [tuple(Mark::Key, "", "x, kind 1 [0]"), tuple(Mark::Key, "", "y, kind 1 [1]")];
    let wanted = [client, kind, keys[0].clone(), keys[1].clone()];
    assert_eq!(seen_in_request(10, 4, b"\0\x01\x03\x02x\x02y\0"), wanted);
}

#[test]
fn a_resource_knows_its_type_and_how_it_is_meant() {
    // DeleteAcls 1: type, name, pattern, principal, host, operation, permission.
    let body = b"\0\0\0\x02\x02\0\x01t\x04\0\x01p\0\x01h\x03\x03\x03\xff\xff\x03\xff\xff\xff\xff\x02\x02";
    let wanted = [
        tuple(Mark::ClientId, "", "null []"),
        tuple(Mark::Resource, "Filters", "t, kind 2, pattern 4 [0]"),
        tuple(Mark::Principal, "Filters", "p [0]"),
        tuple(Mark::AclHost, "Filters", "h [0]"),
        tuple(Mark::Resource, "Filters", "null, kind 3, pattern 3 [1]"),
        tuple(Mark::Principal, "Filters", "null [1]"),
        tuple(Mark::AclHost, "Filters", "null [1]"),
    ];
    assert_eq!(seen_in_request(31, 1, body), wanted);
}

#[test]
fn a_broker_is_known_by_its_id_and_lists_are_told_before_their_elements() {
    let frame = [
        b"\0\0\0\x07".as_slice(),
        b"\0\0\0\x01\0\0\0\x05\0\x01h\0\0\x23\x84",
        b"\0\0\0\x01\0\0\0\x01t\0\0\0\x01\0\x03\0\0\0\x09\0\0\0\x05\0\0\0\0\0\0\0\0",
    ]
    .concat();
    let seen = seen(|editor, scratch| {
        codec::response(3, 0, &frame, editor, scratch).unwrap();
    });
    let wanted = [
        tuple(Mark::Host, "Brokers", "h, kind 5 [0]"),
        tuple(Mark::Port, "Brokers", "9092, kind 5 [0]"),
        tuple(Mark::Error, "Topics", "0 [0]"),
        tuple(Mark::Topic, "Topics", "t [0]"),
        tuple(Mark::Error, "Partitions", "3 [0, 0]"),
        tuple(Mark::Partition, "Partitions", "9 [0, 0]"),
    ];
    assert_eq!(seen, wanted);
    assert_eq!(seen_in_request(3, 1, b"\xff\xff\xff\xff")[1], tuple(Mark::Topics, "", "null []"), "all topics");
    assert_eq!(seen_in_request(3, 1, b"\0\0\0\0")[1], tuple(Mark::Topics, "", "0 of them []"), "none");
}

#[test]
fn an_editor_is_asked_about_the_marks_that_it_named_and_no_other() {
    struct Some(Vec<Mark>);
    impl Editor for Some {
        fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
            self.0.push(place.mark);
            Verdict::Keep
        }

        fn marks(&self) -> Marks {
            Marks::of(&[Mark::Resource, Mark::AclHost])
        }
    }
    let body = b"\0\0\0\x01\x02\0\x01t\x04\0\x01p\0\x01h\x03\x03";
    let mut some = Some(Vec::new());
    codec::request(&request(31, 1, body), &mut some, &mut Scratch::default()).unwrap();
    assert_eq!(some.0, [Mark::Resource, Mark::AclHost]);
    assert!(Marks::ALL.contains(Mark::UserData) && !some.marks().contains(Mark::Topic));
}

#[test]
fn an_element_is_dropped_by_what_comes_late_in_it() {
    let mut bytes = BytesMut::from(b"\0\0\0\x07\0".as_slice());
    let topic = |name: &'static str, partitions: &[i32]| {
        kafka_protocol::messages::fetch_response::FetchableTopicResponse::default()
            .with_topic(StrBytes::from_static_str(name).into())
            .with_partitions(
                partitions
                    .iter()
                    .map(|n| {
                        kafka_protocol::messages::fetch_response::PartitionData::default()
                            .with_partition_index(*n)
                            .with_records(Some(Bytes::from_static(b"records")))
                    })
                    .collect(),
            )
    };
    let response =
        FetchResponse::default().with_responses(vec![topic("a", &[1, 2]), topic("b", &[3]), topic("c", &[4])]);
    response.encode(&mut bytes, 12).unwrap();
    // The name is changed first, and that is undone where a partition of it drops the topic.
    for (lists, wanted) in
        [(1, vec![topic("+a", &[1]), topic("+b", &[3]), topic("+c", &[])]), (2, vec![topic("+b", &[3])])]
    {
        let mut editor = With(|place: &Place<'_>, new: &mut Vec<u8>| match (place.mark, place.value) {
            (Mark::Topic, Value::Bytes(name)) => {
                new.extend([b"+", name].concat());
                Verdict::Replace
            }
            (Mark::Partition, Value::Number(2 | 4)) => Verdict::Drop(lists),
            _ => Verdict::Keep,
        });
        let scratch = &mut Scratch::default();
        let splice = codec::response(1, 12, &bytes, &mut editor, scratch).unwrap();
        let found = sent(&splice);
        let found = FetchResponse::decode(&mut Bytes::copy_from_slice(&found[5..]), 12).unwrap();
        assert_eq!(found, response.clone().with_responses(wanted), "of {lists} lists");
    }
}

#[test]
fn records_are_borrowed_and_never_copied() {
    let mut bytes = BytesMut::from(b"\0\0\0\x07\0".as_slice());
    let records = Bytes::from(vec![7; 1 << 20]);
    let partition = kafka_protocol::messages::fetch_response::PartitionData::default().with_records(Some(records));
    let topic = kafka_protocol::messages::fetch_response::FetchableTopicResponse::default()
        .with_topic(StrBytes::from_static_str("topic").into())
        .with_partitions(vec![partition]);
    FetchResponse::default().with_responses(vec![topic]).encode(&mut bytes, 12).unwrap();
    let mut scratch = Scratch::default();
    let splice = codec::response(1, 12, &bytes, &mut common::editors::Rename, &mut scratch).unwrap();
    let mut largest: &[u8] = &[];
    splice.each_run(|run| largest = if run.len() > largest.len() { run } else { largest });
    assert!(largest.len() > 1 << 20 && bytes.as_ptr_range().contains(&largest.as_ptr()), "a run of the frame itself");
    assert!(scratch.held() < 4096, "{} bytes held", scratch.held());
}

#[test]
fn what_grows_in_a_known_tagged_field_makes_it_longer() {
    let endpoint = |host: String| {
        NodeEndpoint::default().with_node_id(3.into()).with_host(StrBytes::from_string(host)).with_port(9092)
    };
    let response = FetchResponse::default().with_node_endpoints(vec![endpoint("h".to_owned()); 3]);
    let mut bytes = BytesMut::from(b"\0\0\0\x07\0".as_slice());
    response.encode(&mut bytes, 16).unwrap();
    let mut editor = With(|place: &Place<'_>, new: &mut Vec<u8>| match place.mark {
        Mark::Host => {
            assert_eq!(place.kind, Some(Value::Number(3)));
            new.extend([b'x'; 100]);
            Verdict::Replace
        }
        Mark::Port => Verdict::Number(443),
        _ => Verdict::Keep,
    });
    let scratch = &mut Scratch::default();
    let found = sent(&codec::response(1, 16, &bytes, &mut editor, scratch).unwrap());
    let found = FetchResponse::decode(&mut Bytes::copy_from_slice(&found[5..]), 16).unwrap();
    assert_eq!(found, response.with_node_endpoints(vec![endpoint("x".repeat(100)).with_port(443); 3]));
    // A tagged field that may be null.
    let request_of = |cluster: Option<&'static str>| {
        let mut bytes = BytesMut::from([request(1, 12, &[]), vec![0]].concat().as_slice());
        let cluster = cluster.map(StrBytes::from_static_str);
        FetchRequest::default().with_cluster_id(cluster).encode(&mut bytes, 12).unwrap();
        bytes.to_vec()
    };
    let mut editor = With(|place: &Place<'_>, new: &mut Vec<u8>| match place.mark {
        Mark::Cluster => {
            new.extend(b"theirs");
            Verdict::Replace
        }
        _ => Verdict::Keep,
    });
    assert_eq!(
        sent(&codec::request(&request_of(Some("ours")), &mut editor, scratch).unwrap()),
        request_of(Some("theirs"))
    );
}

#[test]
fn null_stands_only_where_it_may() {
    let mut bytes = BytesMut::from(b"\0\0\0\x07".as_slice());
    let response = MetadataResponse::default().with_cluster_id(Some(StrBytes::from_static_str("ours")));
    response.encode(&mut bytes, 2).unwrap();
    let scratch = &mut Scratch::default();
    let nothing = |mark| {
        With(move |place: &Place<'_>, _: &mut Vec<u8>| if place.mark == mark { Verdict::Null } else { Verdict::Keep })
    };
    let found = sent(&codec::response(3, 2, &bytes, &mut nothing(Mark::Cluster), scratch).unwrap());
    let found = MetadataResponse::decode(&mut Bytes::copy_from_slice(&found[4..]), 2).unwrap();
    assert_eq!(found, response.with_cluster_id(None));
    let group = request(26, 0, b"\0\x01x\0\0\0\0\0\0\0\x01\0\0\x01");
    let refused = codec::request(&group, &mut nothing(Mark::Transaction), scratch).unwrap_err();
    assert_eq!(refused.problem, Problem::Edit);
}

#[test]
fn what_cannot_stand_there_is_refused() {
    let find = request(10, 1, b"\0\x01x\x01");
    let commands: [(Mark, Verdict, usize, Problem); 7] = [
        (Mark::Key, Verdict::Refuse, 0, Problem::Refused),
        (Mark::Key, Verdict::Drop(1), 0, Problem::Edit),
        (Mark::Key, Verdict::Drop(0), 0, Problem::Edit),
        (Mark::Key, Verdict::Enter, 0, Problem::Edit),
        (Mark::Key, Verdict::Number(1), 0, Problem::Edit),
        (Mark::Key, Verdict::Replace, 0x8000, Problem::Edit),
        (Mark::KeyType, Verdict::Number(128), 0, Problem::Edit),
    ];
    for (mark, verdict, size, problem) in commands {
        let mut editor = With(|place: &Place<'_>, new: &mut Vec<u8>| {
            if place.mark != mark {
                return Verdict::Keep;
            }
            new.extend(vec![b'x'; size]);
            verdict
        });
        let scratch = &mut Scratch::default();
        let outcome = codec::request(&find, &mut editor, scratch);
        assert_eq!(outcome.map(|_| ()).map_err(|error| error.problem), Err(problem), "{mark:?} {verdict:?}");
    }
}

#[test]
fn members_subscriptions_are_walked_where_the_editor_enters_them() {
    let topics =
        |names: &[&str]| names.iter().map(|name| StrBytes::from_string((*name).to_owned())).collect::<Vec<_>>();
    let subscription = |prefix: &str| {
        let owned = StrBytes::from_string(format!("{prefix}owned"));
        ConsumerProtocolSubscription::default()
            .with_topics(topics(&[&format!("{prefix}one"), &format!("{prefix}two")]))
            .with_owned_partitions(vec![TopicPartition::default().with_topic(owned.into()).with_partitions(vec![1, 2])])
    };
    let join = |version: i16, metadata: &[u8]| {
        let mut body = b"\0\x01g\0\0\0\x01\0\0\0\x01\0\0\0\x08consumer\0\0\0\x01\0\x01r".to_vec();
        body.extend(i32::try_from(metadata.len()).unwrap().to_be_bytes());
        body.extend(metadata);
        request(11, version, &body)
    };
    let embedded = |prefix: &str, version: i16| {
        let mut bytes = BytesMut::from(version.to_be_bytes().as_slice());
        let subscription = subscription(prefix);
        let subscription = if version == 0 { subscription.with_owned_partitions(vec![]) } else { subscription };
        subscription.encode(&mut bytes, version).unwrap();
        bytes.to_vec()
    };
    let mut enter = With(|place: &Place<'_>, new: &mut Vec<u8>| match (place.mark, place.value) {
        (Mark::Subscription, _) => {
            assert_eq!(place.kind, Some(Value::Bytes(b"consumer")));
            Verdict::Enter
        }
        (Mark::Topic, Value::Bytes(name)) => {
            new.extend([b"acme.", name].concat());
            Verdict::Replace
        }
        _ => Verdict::Keep,
    });
    let scratch = &mut Scratch::default();
    for version in 0..=1 {
        let frame = join(1, &embedded("", version));
        let splice = codec::request(&frame, &mut enter, scratch).unwrap();
        assert_eq!(sent(&splice), join(1, &embedded("acme.", version)), "version {version}");
    }
    // An assignment of nothing has no bytes at all.
    assert!(codec::request(&join(1, &[]), &mut enter, scratch).unwrap().is_unchanged());
    let good = embedded("", 1);
    let odd: [(Vec<u8>, Problem); 4] = [
        ([good.as_slice(), b"x"].concat(), Problem::TrailingBytes),
        (good[..good.len() - 1].to_vec(), Problem::Count),
        ([&[0, 4], &good[2..]].concat(), Problem::UnknownEmbedded),
        ([&[0xff, 0xff], &good[2..]].concat(), Problem::UnknownEmbedded),
    ];
    for (bytes, problem) in odd {
        let refused = codec::request(&join(1, &bytes), &mut enter, scratch).unwrap_err();
        assert_eq!(refused.problem, problem);
        assert!(codec::request(&join(1, &bytes), &mut (), scratch).unwrap().is_unchanged(), "who does not enter");
    }
}

#[test]
fn every_embedded_version_is_known() {
    let table = common::table();
    for (embedded, api, version) in [(&table.embedded[0], 11, 1), (&table.embedded[1], 14, 0)] {
        for v in 0..=embedded.versions.1 {
            let mut writer = Writer::embedded(3, embedded, v);
            writer.body();
            let bytes = [[0, v].as_slice(), &writer.out].concat();
            let head: &[u8] = if api == 11 {
                b"\0\x01g\0\0\0\x01\0\0\0\x01\0\0\0\x08consumer\0\0\0\x01\0\x01r"
            } else {
                b"\0\x01g\0\0\0\x01\0\x01m\0\0\0\x01\0\x01m"
            };
            let length = i32::try_from(bytes.len()).unwrap().to_be_bytes();
            let frame = request(api, version, &[head, &length, &bytes].concat());
            let mut entered = 0;
            let mut enter = With(|place: &Place<'_>, _: &mut Vec<u8>| match place.mark {
                Mark::Subscription | Mark::Assignment => {
                    entered += 1;
                    Verdict::Enter
                }
                _ => Verdict::Keep,
            });
            assert!(codec::request(&frame, &mut enter, &mut Scratch::default()).unwrap().is_unchanged());
            assert_eq!(entered, 1);
        }
    }
}

#[test]
fn api_versions_answers_in_version_0_where_it_does_not_know_the_version() {
    let frame = b"\0\0\0\x07\0\x23\0\0\0\x01\0\x12\0\0\0\x04";
    for version in [0, 3, 5] {
        let seen = seen(|editor, scratch| {
            assert!(codec::response(18, version, frame, editor, scratch).unwrap().is_unchanged());
        });
        assert_eq!(seen[3], tuple(Mark::MaxVersion, "ApiKeys", "4, kind 18 [0]"));
    }
    let other = b"\0\0\0\x07\0\x00\0\0\0\x01\0\x12\0\0\0\x04";
    assert!(
        codec::response(18, 3, other, &mut (), &mut Scratch::default()).is_err(),
        "another error is of its version"
    );
}

#[test]
fn what_is_not_in_the_table_is_refused() {
    let scratch = &mut Scratch::default();
    for (api, version, problem) in [
        (4, 0, Problem::UnknownApi),
        (-1, 0, Problem::UnknownApi),
        (1020, 0, Problem::UnknownApi),
        (0, 2, Problem::UnknownVersion),
        (0, 14, Problem::UnknownVersion),
        (18, -1, Problem::UnknownVersion),
        (18, 256, Problem::UnknownVersion),
    ] {
        let refused = codec::request(&request(api, version, &[]), &mut (), scratch).unwrap_err();
        assert_eq!(refused.problem, problem, "{api} {version}");
        let refused = codec::response(api, version, &[0; 8], &mut (), scratch).unwrap_err();
        assert_eq!(refused.problem, problem, "{api} {version}");
    }
}

#[test]
fn tags_out_of_order_and_of_a_wrong_size_are_refused() {
    // Heartbeat 4, whose header and body have no tag of their own.
    let body = |tags: &[u8]| request(12, 4, &[b"\0\x02g\0\0\0\x01\x02m\0", tags].concat());
    let scratch = &mut Scratch::default();
    let outcome = |tags: &[u8]| {
        codec::request(&body(tags), &mut (), &mut Scratch::default()).map(|_| ()).map_err(|error| error.problem)
    };
    assert_eq!(outcome(&[2, 5, 0, 6, 1, 9]), Ok(()));
    assert_eq!(sent(&codec::request(&body(&[2, 5, 0, 6, 1, 9]), &mut (), scratch).unwrap()), body(&[0]));
    assert_eq!(outcome(&[2, 5, 0, 5, 0]), Err(Problem::Tags));
    assert_eq!(outcome(&[2, 6, 0, 5, 0]), Err(Problem::Tags));
    assert_eq!(outcome(&[1, 5, 2, 0]), Err(Problem::Truncated));
    assert_eq!(outcome(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Err(Problem::Count));
    assert_eq!(outcome(&[0xff, 0xff, 0xff, 0xff, 0x10]), Err(Problem::Varint));
    // A known one that is longer than what stands in it: Fetch's cluster id, "x" in three bytes.
    let fetch = [[0].as_slice(), &[0xff; 4], &[0; 21], &[1, 1, 1]].concat();
    let with = |tags: &[u8]| {
        let frame = request(1, 12, &[fetch.as_slice(), tags].concat());
        codec::request(&frame, &mut (), &mut Scratch::default()).map(|_| ()).map_err(|error| error.problem)
    };
    assert_eq!(with(&[1, 0, 2, 2, b'x']), Ok(()));
    assert_eq!(with(&[1, 0, 3, 2, b'x', 0]), Err(Problem::Tags));
    assert_eq!(with(&[1, 0, 1, 2, b'x']), Err(Problem::Truncated));
}

#[test]
fn what_is_wrong_with_a_frame_is_told_with_its_place() {
    let metadata = |version: i16, body: &[u8]| request(3, version, body);
    let odd: [(&str, Vec<u8>, Problem, usize); 10] = [
        ("no API", vec![0], Problem::Truncated, 0),
        ("a client id of -2", [0, 3, 0, 0, 0, 0, 0, 7, 0xff, 0xfe].to_vec(), Problem::Length, 10),
        ("null topics", metadata(0, b"\xff\xff\xff\xff"), Problem::Null, 14),
        ("-2 topics", metadata(0, b"\xff\xff\xff\xfe"), Problem::Length, 14),
        ("a topic that is null", metadata(0, b"\0\0\0\x01\xff\xff"), Problem::Null, 16),
        ("compact null", request(12, 4, b"\0\0"), Problem::Null, 12),
        ("2^31-1 topics", metadata(0, b"\x7f\xff\xff\xff\0\0"), Problem::Count, 14),
        ("two topics in three bytes", metadata(0, b"\0\0\0\x02\0\0\0"), Problem::Count, 14),
        ("a cursor that is 2", request(75, 0, b"\0\x01\0\0\0\x01\x02"), Problem::Struct, 17),
        (
            "a name of 32768 bytes",
            request(12, 4, &[b"\0\x81\x80\x02".as_slice(), &[b'x'; 0x8000]].concat()),
            Problem::Length,
            14,
        ),
    ];
    for (name, frame, problem, at) in odd {
        let scratch = &mut Scratch::default();
        let error = codec::request(&frame, &mut (), scratch).map(|_| ()).unwrap_err();
        assert_eq!((error.problem, error.at), (problem, at), "{name}");
    }
    let scratch = &mut Scratch::default();
    let heartbeat = [0, 0, 0, 7, 0, 0, 9];
    let error = codec::response(12, 0, &heartbeat, &mut (), scratch).map(|_| ()).unwrap_err();
    assert_eq!((error.problem, error.at), (Problem::TrailingBytes, 6));
    assert_eq!(error.to_string(), "at byte 6 the frame goes on behind its message");
    // What follows a request is cut out, also behind an element that is dropped.
    let good = metadata(0, b"\0\0\0\x01\0\x01t");
    let longer = [good.as_slice(), b"more"].concat();
    assert_eq!(sent(&codec::request(&longer, &mut (), scratch).unwrap()), good);
    let mut drop = With(|_: &Place<'_>, _: &mut Vec<u8>| Verdict::Drop(1));
    let dropped = codec::request(&longer, &mut drop, scratch);
    assert!(dropped.is_err(), "the client id is in no list");
    let mut drop = With(|place: &Place<'_>, _: &mut Vec<u8>| match place.mark {
        Mark::Topic => Verdict::Drop(1),
        _ => Verdict::Keep,
    });
    assert_eq!(sent(&codec::request(&longer, &mut drop, scratch).unwrap()), metadata(0, b"\0\0\0\0"));
    // The longest name that there is, and an empty one.
    let heartbeat =
        |name: &[u8], length: &[u8]| request(12, 4, &[b"\0".as_slice(), length, name, b"\0\0\0\x01\x02m\0\0"].concat());
    assert!(codec::request(&heartbeat(&[b'x'; 0x7fff], b"\x80\x80\x02"), &mut (), scratch).is_ok());
    assert!(codec::request(&heartbeat(&[], b"\x01"), &mut (), scratch).is_ok());
    // Longer than it has to be, and in five bytes.
    assert!(codec::request(&heartbeat(b"g", b"\x82\x80\x80\x80\x00"), &mut (), scratch).is_ok());
}
