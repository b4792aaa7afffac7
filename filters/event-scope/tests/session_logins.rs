//! Who somebody is, through a session: SASL of all kinds, suspension, and what nobody may ask.

mod common;

use common::talk::*;
use partywall_event_scope::kafka::session::{Close, Trouble};

#[test]
fn a_user_is_believed_once_the_broker_did() {
    let mut talk = Talk::nobody();
    talk.handshake("PLAIN");
    assert_eq!(talk.session.tenant(), None);
    let step = talk.ask(&request(36, 0, &bytes(b"\0acme1\0secret")));
    assert_eq!(step.close, Close::No);
    assert_eq!(talk.session.tenant(), None, "the broker has not answered");
    let step = talk.tell(&response(&[0, 0, 0xff, 0xff, 0, 0, 0, 0]));
    assert_eq!((step.close, talk.session.tenant()), (Close::No, Some("acme")));
    assert_eq!(talk.session.believed(), 1);
    let step = talk.ask(&heartbeat());
    assert!(step.out.windows(6).any(|window| window == b"acme.g"));
}

#[test]
fn a_user_that_the_broker_does_not_believe_is_nobody() {
    for error in [58, 1, -1] {
        let mut talk = Talk::nobody();
        talk.handshake("PLAIN");
        talk.show(b"\0acme1\0wrong", error, b"");
        assert_eq!((talk.session.tenant(), talk.session.believed()), (None, 0));
    }
}

#[test]
fn scram_is_believed_with_the_servers_last_message() {
    let mut talk = Talk::nobody();
    talk.handshake("SCRAM-SHA-512");
    talk.show(b"n,,n=acme2,r=abc", 0, b"r=abcdef,s=AA==,i=4096");
    assert_eq!(talk.session.tenant(), None, "it was a challenge");
    let step = talk.show(b"c=biws,r=abcdef,p=AA==", 0, b"v=AA==");
    assert_eq!((step.close, talk.session.tenant()), (Close::No, Some("acme")));

    // A server that says no without an error.
    let mut talk = Talk::nobody();
    talk.handshake("SCRAM-SHA-256");
    talk.show(b"n,,n=acme2,r=abc", 0, b"v=AA==");
    assert_eq!(talk.session.tenant(), None, "before the client proved anything");
    let step = talk.show(b"c=biws,r=abcdef,p=AA==", 0, b"e=invalid-proof");
    assert_eq!((step.close, talk.session.tenant()), (Close::Now, None));
}

#[test]
fn a_token_is_verified_here_and_believed_there() {
    let mut talk = Talk::nobody();
    talk.handshake("OAUTHBEARER");
    let step = talk.show(b"n,,\x01auth=Bearer signed:acme\x01\x01", 0, b"");
    assert_eq!((step.close, talk.session.tenant()), (Close::No, Some("acme")));

    // A broker that does not believe it says so in words first.
    let mut talk = Talk::nobody();
    talk.handshake("OAUTHBEARER");
    talk.show(b"n,,\x01auth=Bearer signed:acme\x01\x01", 0, b"{\"status\":\"invalid_token\"}");
    assert_eq!(talk.session.tenant(), None);
    let step = talk.show(b"\x01", 0, b"");
    assert_eq!((step.close, talk.session.tenant()), (Close::Now, None), "and is not believed after that");
}

#[test]
fn who_is_nobodys_is_not_shown_to_the_broker() {
    for (mechanism, message) in [
        ("PLAIN", b"\0stranger\0secret".as_slice()),
        ("PLAIN", b"rival\0acme\0secret"),
        ("SCRAM-SHA-256", b"n,,n=acme,r=abc,tokenauth=true"),
        ("OAUTHBEARER", b"n,,\x01auth=Bearer forged:acme\x01\x01"),
    ] {
        let mut talk = Talk::nobody();
        talk.handshake(mechanism);
        let step = talk.ask(&request(36, 0, &bytes(message)));
        assert_eq!((step.close, step.trouble), (Close::Later, Some(Trouble::Disbelieved)));
        assert_eq!(step.out, request(36, 0, &bytes(&[0])), "what no broker believes");
        let step = talk.tell(&response(&[0, 58, 0xff, 0xff, 0, 0, 0, 0]));
        assert_eq!(step.out, response(&[0, 58, 0xff, 0xff, 0, 0, 0, 0]));
        assert_eq!(talk.ask(&heartbeat()).close, Close::Now);
        // Even where a broker would believe it.
        assert_eq!(talk.session.tenant(), None);
    }
}

#[test]
fn a_suspended_tenant_does_not_get_in() {
    let mut talk = Talk::nobody();
    talk.handshake("PLAIN");
    talk.all.directory.suspended.borrow_mut().push("acme".to_owned());
    assert_eq!(talk.ask(&request(36, 0, &bytes(b"\0acme1\0secret"))).close, Close::Later);
    // Nor one that is suspended while the broker thinks.
    let mut talk = Talk::nobody();
    talk.handshake("PLAIN");
    talk.ask(&request(36, 0, &bytes(b"\0acme1\0secret")));
    talk.all.directory.suspended.borrow_mut().push("acme".to_owned());
    talk.tell(&response(&[0, 0, 0xff, 0xff, 0, 0, 0, 0]));
    assert_eq!(talk.ask(&heartbeat()).trouble, Some(Trouble::Suspended));
}

#[test]
fn bytes_behind_a_message_of_sasl_end_the_connection() {
    let show = request(36, 0, &bytes(b"\0acme1\0secret"));
    for behind in [heartbeat(), vec![0], show.clone()] {
        let mut talk = Talk::nobody();
        talk.handshake("PLAIN");
        let step = talk.ask(&[show.clone(), behind.clone()].concat());
        assert_eq!((step.close, step.trouble), (Close::Now, Some(Trouble::Sasl)), "in one piece");
        let mut talk = Talk::nobody();
        talk.handshake("PLAIN");
        assert_eq!(talk.ask(&show).close, Close::No);
        let step = talk.ask(&behind);
        assert_eq!((step.close, step.trouble), (Close::Now, Some(Trouble::Sasl)), "in two");
        assert!(step.out.is_empty());
    }
    // And one that no handshake was answered for.
    let mut talk = Talk::nobody();
    let step = talk.ask(&[request(17, 1, &text("PLAIN")), show].concat());
    assert_eq!((step.close, step.trouble), (Close::Now, Some(Trouble::Sasl)));
}

#[test]
fn another_proof_has_to_be_of_the_same_tenant() {
    let mut talk = Talk::acme();
    talk.handshake("PLAIN");
    let step = talk.show(b"\0acme7\0secret", 0, b"");
    assert_eq!((step.close, talk.session.tenant()), (Close::No, Some("acme")));
    talk.handshake("PLAIN");
    let step = talk.ask(&request(36, 0, &bytes(b"\0rival1\0secret")));
    assert_eq!((step.close, step.trouble), (Close::Later, Some(Trouble::Disbelieved)));
    talk.tell(&response(&[0, 0, 0xff, 0xff, 0, 0, 0, 0]));
    assert_eq!(talk.session.tenant(), Some("acme"), "it stays what it was");
    assert_eq!(talk.ask(&heartbeat()).close, Close::Now);
}

#[test]
fn a_mechanism_that_is_not_understood_is_refused_as_are_tokens_without_frames() {
    let mut talk = Talk::nobody();
    let step = talk.ask(&request(17, 1, &text("GSSAPI")));
    assert_eq!(step.out, STAND_IN);
    assert_eq!(talk.tell(&STAND_IN_ANSWER).out, response(&[0, 33, 0, 0, 0, 0]));
    let step = talk.ask(&request(17, 0, &text("PLAIN")));
    assert_eq!(step.out, STAND_IN);
    assert_eq!(talk.tell(&STAND_IN_ANSWER).out, response(&[0, 35, 0, 0, 0, 0]));
    let step = talk.ask(&request(36, 0, &bytes(b"\0acme1\0secret")));
    assert_eq!(step.close, Close::Now, "no mechanism was agreed on");
}

#[test]
fn nobody_may_ask_for_versions_and_nothing_else() {
    let mut talk = Talk::nobody();
    let step = talk.exchange(&request(18, 0, &[]), &response(&[0, 0, 0, 0, 0, 0]));
    assert_eq!(step.out, response(&[0, 0, 0, 0, 0, 0]));
    let step = talk.ask(&heartbeat());
    assert_eq!((step.close, step.trouble), (Close::Later, Some(Trouble::Nobody)));
    assert_eq!(step.out, STAND_IN);
    let step = talk.ask(&heartbeat());
    assert!(step.out.is_empty() && step.close == Close::Later, "the answer is on its way");
    assert_eq!(talk.tell(&STAND_IN_ANSWER).out, response(&[0, 30]));
    let step = talk.ask(&heartbeat());
    assert!(step.out.is_empty() && step.close == Close::Now);
    // In the middle of an exchange a broker answers nothing else.
    let mut talk = Talk::nobody();
    talk.handshake("PLAIN");
    let step = talk.ask(&heartbeat());
    assert!(step.out.is_empty() && step.close == Close::Now);
    // What is larger than who one is takes.
    let mut talk = Talk::nobody();
    assert_eq!(talk.ask(&[0, 8, 0, 1]).close, Close::Now);
    assert_eq!(Talk::acme().ask(&[0, 8, 0, 1]).close, Close::No);
    let large = request(18, 0, &vec![0; 512 << 10]);
    assert!(matches!(Talk::nobody().ask(&large).trouble, Some(Trouble::Frame(_))), "also in one piece");
    assert_eq!(Talk::acme().ask(&large).trouble, None);
}

#[test]
fn a_suspended_tenant_is_answered_once_and_its_certificate_is_no_way_back() {
    let mut talk = Talk::acme();
    talk.exchange(&heartbeat(), &response(&[0, 0]));
    talk.all.directory.suspended.borrow_mut().push("acme".to_owned());
    talk.exchange(&heartbeat(), &response(&[0, 0]));
    talk.session.stale();
    let step = talk.ask(&[heartbeat(), heartbeat()].concat());
    assert_eq!((step.close, step.trouble), (Close::Later, Some(Trouble::Suspended)));
    assert_eq!(step.out, STAND_IN, "for one of them");
    assert_eq!(talk.tell(&STAND_IN_ANSWER).out, response(&[0, 30]));
    assert_eq!(talk.ask(&heartbeat()).close, Close::Now);
}

#[test]
fn before_it_is_known_whose_groups_they_are_the_classic_protocol_alone_is_offered_where_it_is_for_any() {
    // What a broker offers in version 0: Fetch, and heartbeats of groups of both protocols.
    let offer = |apis: &[u8]| {
        let count = [0, 0, 0, u8::try_from(apis.len()).unwrap()];
        let apis: Vec<u8> = apis.iter().flat_map(|api| [0, *api, 0, 0, 0, 1]).collect();
        response(&[&[0, 0][..], &count, &apis].concat())
    };
    let asked = request(18, 0, &[]);
    for (for_any, offered) in [(false, &[12, 68][..]), (true, &[12])] {
        let mut talk = Talk::nobody();
        talk.all.directory.classic_only = for_any;
        assert_eq!(talk.exchange(&asked, &offer(&[12, 68])).out, offer(offered));
        // Of a tenant its own world says so.
        talk.session.identify("acme".into());
        assert_eq!(talk.exchange(&asked, &offer(&[12, 68])).out, offer(&[12, 68]));
    }
}
