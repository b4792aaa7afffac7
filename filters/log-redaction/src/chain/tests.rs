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
    (findings, verifier.gaps())
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

#[test]
fn ranges_are_read_as_written_and_bounded() {
    let mut ranges = Ranges::default();
    (0..400).for_each(|n| ranges.insert_last(n));
    assert_eq!(ranges.to_string(), "0-399");
    (0..400).filter(|n| n % 3 == 1).for_each(|n| ranges.remove(n));
    assert!(!ranges.contains(1) && ranges.contains(2) && ranges.contains(399));
    let written = ranges.to_string();
    let read = Ranges::parse(&written).unwrap();
    assert_eq!(written.split(',').count(), MAX_RANGES);
    assert!((0..400).filter(|n| n % 3 != 1).all(|n| read.contains(n)), "what is open is never left out: {written}");
    assert_eq!(Ranges::parse("").unwrap(), Ranges::default());
    for wrong in ["1-", "-1", "2-1", "1,2", "3,1", "01", "+1", "1,,3", "1, 3", " "] {
        assert!(Ranges::parse(wrong).is_none(), "`{wrong}`");
    }
}

#[test]
fn a_forged_number_costs_little_and_an_unknown_key_is_told() {
    let (mut lines, other) = (log(3, 1), "other-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE");
    lines[0].0 = lines[0].0.replace("n=", "n=9999999999");
    assert_eq!(verify(&lines).0, [Finding::TooFar]);
    let mut verifier = Verifier::new(vec![Secrets::parse(other).unwrap()]);
    let told = verifier.line(&Link::parse(&lines[1].0).unwrap(), &fields(&lines[1].1));
    assert_eq!(told, Err(Finding::UnknownKey));
    assert_eq!(Link::parse("v=2 key=a"), Err(LinkError::Version));
    assert_eq!(Link::parse(""), Err(LinkError::Malformed));
}
