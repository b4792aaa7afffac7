//! The layout as Rust: static arrays, each line of them a value of `codec::layout`.

use std::fmt::Write as _;

use crate::check::{Fill, Layout};

/// What `codec::layout` includes.
pub(crate) fn write(layout: &Layout) -> String {
    let mut out = String::new();
    let Layout { names, fields, structs, apis, subscription, assignment } = layout;
    let _ = writeln!(out, "pub(crate) static NAMES: [&str; {}] = {names:?};", names.len());
    let _ = writeln!(out, "pub(crate) static STRUCTS: [Struct; {}] = [", structs.len());
    for (first, plain, all) in structs {
        let _ = writeln!(out, "Struct {{ first: {first}, plain: {plain}, all: {all} }},");
    }
    let _ = writeln!(out, "];\npub(crate) static FIELDS: [Field; {}] = [", fields.len());
    for field in fields {
        let mark = field.mark.map_or("None".to_owned(), |mark| format!("Some(Mark::{mark:?})"));
        let fill = match &field.fill {
            Fill::Default(number) => format!("Default({number})"),
            Fill::Same(found) => format!("Same({found:?})"),
            Fill::Each(found) => format!("Each({found:?})"),
            Fill::Code => "Code".to_owned(),
        };
        let _ = writeln!(
            out,
            "Field {{ name: {}, kind: Kind::{}, list: {}, versions: {:?}, null: {:?}, tag: {}, mark: {mark}, body: {}, \
             least: {}, skip: {}, keeps: {}, looks_at: {:?}, ahead: {}, fill: Fill::{fill} }},",
            field.name,
            field.kind,
            field.list,
            field.versions,
            field.null,
            field.tag,
            field.body,
            field.least,
            field.skip,
            field.keeps,
            field.looks_at,
            field.ahead,
        );
    }
    let _ = writeln!(out, "];\npub(crate) static APIS: [Api; {}] = [", apis.len());
    for (key, name, (first, last), flexible, request, response) in apis {
        let _ = writeln!(
            out,
            "Api {{ key: {key}, name: {name:?}, first: {first}, last: {last}, flexible: {flexible}, request: {request}, \
             response: {response} }},"
        );
    }
    let _ = writeln!(out, "];");
    for (name, (body, last)) in [("SUBSCRIPTION", subscription), ("ASSIGNMENT", assignment)] {
        let _ = writeln!(out, "pub(crate) static {name}: Embedded = Embedded {{ body: {body}, last: {last} }};");
    }
    out
}
