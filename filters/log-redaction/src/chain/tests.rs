//! Every way to spoil a generated log is found.

use partywall_tenancy::Secrets;

use super::*;

const ROOT: &str = "orders-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

type Line = (String, Vec<String>);

fn fields(of: &[String]) -> Fields<'_> {
    Fields { tenant: &of[0], decision: &of[1], policy: &of[2], explain: &of[3], ..Fields::default() }
}

/// A log of a VM that decides `count` times, 300 ms apart; each fifth request stays open for long, and the lines of
/// the others come in pairs the wrong way round.
fn log(count: u64, boot: u8) -> Vec<Line> {
    let root = Secrets::parse(ROOT).unwrap();
    let mut chain = Chain::new(root.current(), [boot; 16]);
    let (mut lines, mut waiting): (Vec<Line>, Vec<(u64, Line)>) = (Vec::new(), Vec::new());
    for n in 0..count {
        let decision = if n % 3 == 0 { "deny" } else { "allow" };
        let of = vec![format!("t1_{}", n % 7), decision.into(), format!("p{n}"), format!("{{\"time\":{n}}}")];
        let (number, link) = chain.link(1_000_000 + n * 300, "4bf9", None, &fields(&of));
        waiting.push((number, (link, of)));
        if waiting.iter().filter(|(n, _)| n % 5 != 0).count() == 2 {
            waiting.retain(|_| true);
            let (over, open): (Vec<_>, Vec<_>) = waiting.drain(..).partition(|(n, _)| n % 5 != 0);
            waiting = open;
            for (number, line) in over.into_iter().rev() {
                chain.over(number);
                lines.push(line);
            }
        }
    }
    lines.extend(waiting.into_iter().map(|(_, line)| line));
    lines
}

fn verify(lines: &[Line]) -> (Vec<Finding>, Vec<Gap>) {
    let mut verifier = Verifier::new(vec![Secrets::parse(ROOT).unwrap()]);
    let mut findings = Vec::new();
    for (link, of) in lines {
        findings.extend(verifier.line(&Link::parse(link).unwrap(), &fields(of)).err());
    }
    (findings, verifier.gaps(Known::default()))
}

#[test]
fn a_whole_log_verifies_in_any_order_and_of_any_number_of_vms() {
    let mut lines = log(60, 1);
    lines.extend(log(33, 2));
    assert_eq!(verify(&lines), (Vec::new(), Vec::new()));
    lines.reverse();
    assert_eq!(verify(&lines), (Vec::new(), Vec::new()));
}

#[test]
fn each_removed_line_is_a_gap_and_is_told_as_removed_once_a_checkpoint_says_so() {
    let lines = log(60, 1);
    let mut removed = 0;
    for at in 0..lines.len() {
        let mut less = lines.clone();
        let number = Link::parse(&less.remove(at).0).unwrap().number;
        let (findings, gaps) = verify(&less);
        assert_eq!(findings, []);
        if number == 59 {
            // The last number of all: nothing after it tells of it.
            assert_eq!(gaps, []);
            continue;
        }
        if number == 0 {
            assert_eq!((gaps[0].first, gaps[0].last, gaps[0].why), (0, 0, Why::Before));
            continue;
        }
        assert_eq!(gaps.len(), 1, "{number}");
        assert_eq!((gaps[0].first, gaps[0].last), (number, number));
        removed += usize::from(gaps[0].why == Why::Removed);
        let long = number.is_multiple_of(5);
        assert!(!long || gaps[0].why == Why::Open, "{number} was open to the end");
    }
    assert!(removed >= 40, "{removed}");
}

#[test]
fn each_alteration_swap_and_repetition_is_found() {
    let lines = log(24, 1);
    for at in 0..lines.len() {
        for field in 0..4 {
            let mut other = lines.clone();
            other[at].1[field].push('x');
            assert_eq!(verify(&other).0, [Finding::Altered], "line {at}, field {field}");
        }
        // A letter that goes from the end of one field to the beginning of the next one.
        let mut moved = lines.clone();
        let letter = moved[at].1[0].pop().unwrap();
        moved[at].1[1].insert(0, letter);
        assert_eq!(verify(&moved).0, [Finding::Altered], "line {at}");
        let mut twice = lines.clone();
        twice.push(lines[at].clone());
        assert_eq!(verify(&twice).0, [Finding::Repeated], "line {at}");
        for with in 0..at {
            let mut swapped = lines.clone();
            let link = swapped[at].0.clone();
            swapped[at].0 = std::mem::replace(&mut swapped[with].0, link);
            assert_eq!(verify(&swapped).0, [Finding::Altered; 2], "lines {with} and {at}");
        }
    }
}

#[test]
fn no_character_of_a_link_can_be_another() {
    let lines = log(12, 1);
    for (at, (link, _)) in lines.iter().enumerate() {
        for place in 0..link.len() {
            let mut bytes = link.clone().into_bytes();
            bytes[place] = if bytes[place] == b'1' { b'2' } else { b'1' };
            let text = String::from_utf8(bytes).unwrap();
            let mut verifier = Verifier::new(vec![Secrets::parse(ROOT).unwrap()]);
            let accepted = Link::parse(&text).is_ok_and(|link| verifier.line(&link, &fields(&lines[at].1)).is_ok());
            assert!(!accepted, "{text}");
        }
    }
}

#[test]
fn a_link_that_takes_the_place_of_others_leaves_no_gap() {
    let root = Secrets::parse(ROOT).unwrap();
    let mut chain = Chain::new(root.current(), [1; 16]);
    let of = vec!["t".to_owned(), "allow".into(), String::new(), String::new()];
    let (_, first) = chain.link(1, "", None, &fields(&of));
    let (_, second) = chain.link(2, "", Some(&first), &fields(&of));
    let (_, third) = chain.link(3, "", Some(&second), &fields(&of));
    assert!(third.contains(" was=0,1 "), "{third}");
    assert_eq!(verify(&[(third, of.clone())]), (Vec::new(), Vec::new()));
    // What another VM gave does not lie in this chain.
    let (_, foreign) = Chain::new(root.current(), [2; 16]).link(4, "", Some(&first), &fields(&of));
    assert!(!foreign.contains("was="), "{foreign}");
}

/// Why the numbers are not there whose lines are not in `lines`, once a line tells what is open at `now`.
fn told(chain: &mut Chain, lines: &[Line], now: u64) -> Vec<(u64, u64, Why)> {
    let of = vec!["t".to_owned(), "allow".into(), String::new(), String::new()];
    let (number, link) = chain.link(now, "", None, &fields(&of));
    chain.over(number);
    let lines = [lines, &[(link, of)]].concat();
    let (findings, gaps) = verify(&lines);
    assert_eq!(findings, []);
    gaps.iter().map(|gap| (gap.first, gap.last, gap.why)).collect()
}

#[test]
fn what_was_replaced_is_open_as_long_as_what_stands_in_its_place() {
    let root = Secrets::parse(ROOT).unwrap();
    let mut chain = Chain::new(root.current(), [1; 16]);
    let of = vec!["t".to_owned(), "allow".into(), String::new(), String::new()];
    let (zero, before) = chain.link(1, "", None, &fields(&of));
    chain.over(zero);
    let lines = vec![(before, of.clone())];
    // Three tries of one request: the filter of each ends with it, and the line comes with the end of the last one.
    let (one, first) = chain.link(2, "", None, &fields(&of));
    chain.leave(one, 3);
    assert_eq!(told(&mut chain, &lines, 5_000), [(1, 1, Why::Open)], "between two tries");
    let (two, second) = chain.link(6_000, "", Some(&first), &fields(&of));
    assert!(chain.tick(60_000).is_none());
    let (three, third) = chain.link(60_000, "", Some(&second), &fields(&of));
    chain.over(two);
    let is = |gaps: &[(u64, u64, Why)]| {
        let of = |number: u64| gaps.iter().find(|(first, last, _)| (*first..=*last).contains(&number)).map(|gap| gap.2);
        [one, two, three].map(of)
    };
    assert_eq!(is(&told(&mut chain, &lines, 70_000)), [Some(Why::Open); 3], "the third one runs");
    // Its line told, none is missing; taken out, all three are.
    chain.over(three);
    let mut whole = lines.clone();
    whole.push((third, of));
    assert_eq!(is(&told(&mut chain, &whole, 80_000)), [None; 3]);
    assert_eq!(is(&told(&mut chain, &lines, 90_000)), [Some(Why::Removed); 3]);
}

#[test]
fn what_no_further_try_follows_is_over_by_and_by() {
    let root = Secrets::parse(ROOT).unwrap();
    let mut chain = Chain::new(root.current(), [1; 16]);
    let of = vec!["t".to_owned(), "allow".into(), String::new(), String::new()];
    let (number, link) = chain.link(1, "", None, &fields(&of));
    chain.leave(number, 2);
    let lines = [(link, of)];
    assert!(chain.tick(20_000).is_none());
    let _ = told(&mut chain, &lines, 30_000);
    assert!(chain.pending.open().is_empty());
}

#[test]
fn a_checkpoint_in_a_link_that_is_replaced_stands_in_the_other_one() {
    let root = Secrets::parse(ROOT).unwrap();
    let mut chain = Chain::new(root.current(), [1; 16]);
    let of = vec!["t".to_owned(), "allow".into(), String::new(), String::new()];
    let (_, first) = chain.link(5_000, "", None, &fields(&of));
    let (_, second) = chain.link(5_001, "", Some(&first), &fields(&of));
    assert!(first.contains(" open=") && second.contains(" open=0 "), "{second}");
}

#[test]
fn of_very_many_tries_nothing_stays_behind() {
    let root = Secrets::parse(ROOT).unwrap();
    let mut chain = Chain::new(root.current(), [1; 16]);
    let of = vec!["t".to_owned(), "allow".into(), String::new(), String::new()];
    let mut before: Option<String> = None;
    let mut last = 0;
    for n in 0..100 {
        let (number, link) = chain.link(n, "", before.as_deref(), &fields(&of));
        (before, last) = (Some(link), number);
    }
    chain.over(last);
    assert!(chain.pending.open().is_empty(), "{}", chain.pending.open());
}

#[test]
fn ranges_are_read_as_written_and_bounded() {
    let mut ranges = Ranges::default();
    (0..400).for_each(|n| ranges.insert(n, n));
    assert_eq!(ranges.to_string(), "0-399");
    (0..400).filter(|n| n % 3 == 1).for_each(|n| ranges.remove(n));
    assert!(!ranges.contains(1) && ranges.contains(2) && ranges.contains(399));
    let written = ranges.to_string();
    let read = Ranges::parse(&written, MAX_RANGES).unwrap();
    assert_eq!(written.split(',').count(), MAX_RANGES);
    assert!((0..400).filter(|n| n % 3 != 1).all(|n| read.contains(n)), "what is open is never left out: {written}");
    assert_eq!(Ranges::parse("", 0).unwrap(), Ranges::default());
    assert!(Ranges::parse("1,3", 1).is_none() && Ranges::parse("1,3", 2).is_some());
    for wrong in ["1-", "-1", "2-1", "1,2", "3,1", "01", "+1", "1,,3", "1, 3", " "] {
        assert!(Ranges::parse(wrong, 9).is_none(), "`{wrong}`");
    }
}

#[test]
fn a_forged_number_costs_little_and_an_unknown_key_is_told() {
    let (mut lines, other) = (log(3, 1), "other-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE");
    lines[0].0 = lines[0].0.replace("n=", "n=9999999999");
    assert_eq!(verify(&lines).0, [Finding::TooFar]);
    lines[0].0 = lines[0].0.replace("n=9999999999", "n=199999999");
    assert_eq!(verify(&lines).0, [Finding::Altered]);
    let mut verifier = Verifier::new(vec![Secrets::parse(other).unwrap()]);
    let told = verifier.line(&Link::parse(&lines[1].0).unwrap(), &fields(&lines[1].1));
    assert_eq!(told, Err(Finding::UnknownKey));
    assert_eq!(Link::parse("v=2 key=a"), Err(LinkError::Version));
    assert_eq!(Link::parse(""), Err(LinkError::Malformed));
}

#[test]
fn sets_of_numbers_grow_in_any_order_and_tell_what_is_missing() {
    // By a set that is as simple as can be.
    let mut random = 7_u64;
    for _ in 0..300 {
        let (mut ranges, mut simple) = (Ranges::default(), std::collections::BTreeSet::new());
        for _ in 0..12 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (first, length, out) = ((random >> 33) % 40, (random >> 43) % 6, (random >> 53) % 40);
            ranges.insert(first, first + length);
            simple.extend(first..=first + length);
            ranges.remove(out);
            simple.remove(&out);
        }
        let all = |parts: Vec<(u64, u64)>| parts.into_iter().flat_map(|(a, b)| a..=b).collect::<Vec<_>>();
        assert_eq!(all(ranges.iter().collect()), simple.iter().copied().collect::<Vec<_>>());
        assert!(ranges.iter().zip(ranges.iter().skip(1)).all(|((_, a), (b, _))| a + 1 < b), "{ranges}");
        assert_eq!(all(ranges.missing(50).collect()), (0..50).filter(|n| !simple.contains(n)).collect::<Vec<_>>());
        let (inside, outside): (Vec<_>, Vec<_>) = ranges.split(5, 30).into_iter().partition(|(.., inside)| *inside);
        let plain = |parts: Vec<(u64, u64, bool)>| all(parts.into_iter().map(|(a, b, _)| (a, b)).collect());
        assert_eq!(plain(inside), (5..=30).filter(|n| simple.contains(n)).collect::<Vec<_>>());
        assert_eq!(plain(outside), (5..=30).filter(|n| !simple.contains(n)).collect::<Vec<_>>());
        assert_eq!(ranges.iter().collect::<Ranges>(), ranges);
    }
}

#[test]
fn keys_are_the_same_whether_made_in_order_or_asked_for_in_any() {
    let mut ratchet = key::Ratchet::first(&[7; 32], "ab");
    let macs: Vec<String> = (0..9000)
        .map(|_| {
            let mac = ratchet.mac("text", &Fields::default());
            ratchet.forward();
            mac
        })
        .collect();
    assert_eq!(macs.iter().collect::<std::collections::BTreeSet<_>>().len(), macs.len());
    for stride in [1, 7, 4999, 8999] {
        let mut keys = key::Keys::new(&[7; 32], "ab");
        for n in 0..9000_usize {
            let number = n * stride % 9000;
            if stride < 9 || n < 40 {
                assert_eq!(keys.of(number as u64).mac("text", &Fields::default()), macs[number], "{number}");
            }
        }
    }
}

const LONG: u64 = 1_000_000;

/// A chain with three decisions, the second of them still open.
fn three() -> (Chain, Vec<Line>) {
    let root = Secrets::parse(ROOT).unwrap();
    let mut chain = Chain::new(root.current(), [3; 16]);
    let of = || vec!["t".to_owned(), "allow".into(), "p".into(), String::new()];
    let lines: Vec<Line> = (0..3).map(|n| (chain.link(LONG + n, "4bf9", None, &fields(&of())).1, of())).collect();
    chain.over(0);
    chain.over(2);
    (chain, lines)
}

fn judge(lines: &[&Line], words: &[&str], known: Known) -> (Vec<(u64, u64, Why)>, End) {
    let mut verifier = Verifier::new(vec![Secrets::parse(ROOT).unwrap()]);
    for (link, of) in lines {
        verifier.line(&Link::parse(link).unwrap(), &fields(of)).unwrap();
    }
    for word in words {
        verifier.word(&Word::parse(word).unwrap()).unwrap();
    }
    let gaps = verifier.gaps(known).into_iter().map(|gap| (gap.first, gap.last, gap.why)).collect();
    let end = verifier.ends(known).next().unwrap().2;
    (gaps, end)
}

#[test]
fn a_word_is_told_once_all_it_knows_of_has_left_the_buffer_and_not_again() {
    let (mut chain, _) = three();
    let mut told = Vec::new();
    for at in 0..100 {
        told.extend(chain.tick(LONG + at * 500).map(|word| (at * 500, word)));
    }
    let [(after, word)] = &told[..] else { panic!("{told:?}") };
    assert!((15_000..20_000).contains(after), "{after}");
    let read = Word::parse(word).unwrap();
    assert!(read.at + SETTLE_MS <= LONG + after && (read.next, read.end) == (3, false), "{word}");
    assert_eq!(read.open.to_string(), "1");
    // What is open is told each minute; what is not, no more.
    let heart = (100..400).filter_map(|at| chain.tick(LONG + at * 500)).count();
    assert_eq!(heart, 3);
    chain.over(1);
    let last: Vec<String> = (400..1000).filter_map(|at| chain.tick(LONG + at * 500)).collect();
    assert_eq!(last.len(), 1);
    assert!(Word::parse(&last[0]).unwrap().open.is_empty());
}

#[test]
fn lines_that_carry_checkpoints_and_are_written_leave_the_application_log_alone() {
    let root = Secrets::parse(ROOT).unwrap();
    let mut chain = Chain::new(root.current(), [3; 16]);
    let of = vec![String::new(); 4];
    for n in 0..300 {
        let (number, _) = chain.link(LONG + n * 100, "", None, &fields(&of));
        chain.over(number);
        assert_eq!(chain.tick(LONG + n * 100), None);
    }
    // Streams that stay open carry theirs with them.
    for n in 300..600 {
        chain.link(LONG + n * 100, "", None, &fields(&of));
    }
    assert_eq!((300..600).filter_map(|n| chain.tick(LONG + n * 100)).count(), 1);
}

#[test]
fn each_gap_says_what_it_can_be() {
    let (mut chain, lines) = three();
    let [a, b, c] = [&lines[0], &lines[1], &lines[2]];
    let word = (0..100).find_map(|at| chain.tick(LONG + at * 500)).unwrap();
    let running = Known { words: true, ended: false };
    let ended = Known { ended: true, ..running };
    assert_eq!(judge(&[a, c], &[&word], running), (vec![(1, 1, Why::Open)], End::Running));
    assert_eq!(judge(&[a, c], &[&word], ended), (vec![(1, 1, Why::Lost)], End::Gone));
    assert_eq!(judge(&[a, b], &[&word], running), (vec![(2, 2, Why::Removed)], End::Running));
    assert_eq!(judge(&[b, c], &[&word], running).0, [(0, 0, Why::Before)]);
    assert_eq!(judge(&[], &[&word], running).0, [(0, 0, Why::Removed), (1, 1, Why::Open), (2, 2, Why::Removed)]);
    // Without any word: the last line but one is not covered by a checkpoint.
    assert_eq!(judge(&[a, c], &[], running), (vec![(1, 1, Why::Open)], End::Running));
    chain.over(1);
    let end = chain.end(LONG + 60_000).unwrap();
    assert_eq!(judge(&[a, b, c], &[&word, &end], ended), (Vec::new(), End::Closed));
    assert_eq!(judge(&[a], &[&word, &end], running), (vec![(1, 2, Why::Removed)], End::Closed));
    assert_eq!(judge(&[a, b], &[&end], running), (vec![(2, 2, Why::Removed)], End::Closed));
    // In any order: what was told later knows more.
    assert_eq!(judge(&[a, c], &[&end, &word], running), (vec![(1, 1, Why::Removed)], End::Closed));
    assert_eq!(Chain::new(Secrets::parse(ROOT).unwrap().current(), [9; 16]).end(1), None);
}

#[test]
fn who_falls_silent_with_something_open_is_gone() {
    let (mut chain, lines) = three();
    let word = (0..100).find_map(|at| chain.tick(LONG + at * 500)).unwrap();
    let all: Vec<&Line> = lines.iter().filter(|line| !line.0.contains(" n=1 ")).collect();
    // Another VM goes on for ten minutes.
    let root = Secrets::parse(ROOT).unwrap();
    let mut other = Chain::new(root.current(), [4; 16]);
    let of = vec![String::new(); 4];
    let later = (other.link(LONG + 600_000, "", None, &fields(&of)).1, of);
    let with: Vec<&Line> = all.iter().copied().chain([&later]).collect();
    let known = Known { words: true, ended: false };
    assert_eq!(judge(&with, &[&word], known), (vec![(1, 1, Why::Lost)], End::Gone));
    assert_eq!(judge(&with, &[&word], Known::default()), (vec![(1, 1, Why::Open)], End::Running));
    chain.over(1);
    let settled = (100..200).find_map(|at| chain.tick(LONG + at * 500)).unwrap();
    let whole: Vec<&Line> = lines.iter().chain([&later]).collect();
    assert_eq!(judge(&whole, &[&word, &settled], known), (Vec::new(), End::Running));
}

#[test]
fn no_character_of_a_word_or_a_statement_can_be_another() {
    let (mut chain, lines) = three();
    let mut verifier = Verifier::new(vec![Secrets::parse(ROOT).unwrap()]);
    for (link, of) in &lines {
        verifier.line(&Link::parse(link).unwrap(), &fields(of)).unwrap();
    }
    let word = chain.end(LONG).unwrap();
    let statement = verifier.prune(Link::parse(&lines[0].0).unwrap().boot, &[(0, 0), (2, 2)].into_iter().collect());
    let [statement] = &statement[..] else { panic!("{statement:?}") };
    let accepts = |text: &str| {
        let mut verifier = Verifier::new(vec![Secrets::parse(ROOT).unwrap()]);
        Word::parse(text).is_ok_and(|word| verifier.word(&word).is_ok())
            || Pruned::parse(text).is_ok_and(|statement| verifier.pruned(&statement).is_ok())
    };
    assert!(accepts(&word) && accepts(statement));
    for text in [&word, statement] {
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] = if bytes[place] == b'1' { b'2' } else { b'1' };
            let other = String::from_utf8(bytes).unwrap();
            assert!(!accepts(&other), "{other}");
        }
    }
    // Links, words and statements are not taken for each other.
    assert!(!accepts(&lines[0].0) && Link::parse(&word).is_err() && Link::parse(statement).is_err());
}

#[test]
fn what_was_pruned_is_no_gap_and_all_else_still_is() {
    let lines = log(60, 1);
    let boot = Link::parse(&lines[0].0).unwrap().boot.to_owned();
    let mut verifier = Verifier::new(vec![Secrets::parse(ROOT).unwrap()]);
    for (link, of) in &lines {
        verifier.line(&Link::parse(link).unwrap(), &fields(of)).unwrap();
    }
    let denials = |line: &&Line| line.1[1] == "deny";
    let number = |line: &Line| Link::parse(&line.0).unwrap().number;
    let pruned: Ranges = lines.iter().filter(|l| !denials(l)).map(|l| (number(l), number(l))).collect();
    let statements = verifier.prune(&boot, &pruned);
    let kept: Vec<&Line> = lines.iter().filter(denials).collect();
    let verify = |kept: &[&Line]| {
        let mut verifier = Verifier::new(vec![Secrets::parse(ROOT).unwrap()]);
        for statement in &statements {
            verifier.pruned(&Pruned::parse(statement).unwrap()).unwrap();
        }
        for (link, of) in kept {
            verifier.line(&Link::parse(link).unwrap(), &fields(of)).unwrap();
        }
        verifier.gaps(Known::default())
    };
    assert_eq!(verify(&kept), []);
    for at in 0..kept.len() {
        let mut less = kept.clone();
        let gone = number(less.remove(at));
        let gaps = verify(&less);
        assert_eq!(gaps.iter().map(|gap| (gap.first, gap.last)).collect::<Vec<_>>(), [(gone, gone)]);
        // Each fifth was open to the end, and the last checkpoint is a few numbers before it.
        assert!(gaps[0].why != Why::Open || gone % 5 == 0 || gone > 55, "{gaps:?}");
    }
    // That a VM had ended stays known.
    let (mut chain, lines) = three();
    let end = chain.end(LONG).unwrap();
    let mut ended = Verifier::new(vec![Secrets::parse(ROOT).unwrap()]);
    ended.word(&Word::parse(&end).unwrap()).unwrap();
    let statement = ended.prune(Word::parse(&end).unwrap().boot, &[(0, 2)].into_iter().collect()).remove(0);
    let mut after = Verifier::new(vec![Secrets::parse(ROOT).unwrap()]);
    after.pruned(&Pruned::parse(&statement).unwrap()).unwrap();
    assert_eq!(after.ends(Known::default()).next().unwrap().2, End::Closed, "{lines:?}");
    // A statement for each 4,096 ranges.
    let many: Ranges = (0..5000).map(|n| (n * 2, n * 2)).collect();
    assert_eq!(verifier.prune(&boot, &many).len(), 2);
}
