//! A mistake in the table is an error of the build that says where it is. The build script's own parts are asked here.
#![allow(dead_code, unreachable_pub, reason = "they are a program elsewhere")]

#[path = "../build/check.rs"]
mod check;
#[path = "../src/kafka/codec/mark.rs"]
mod mark;
#[path = "../build/read.rs"]
mod read;
#[path = "../build/write.rs"]
mod write;

/// What stands before the line that is tried, which is the fifth.
const BEFORE: &str = "# A comment.\napi 0 Produce 3-13, flexible 9+\n  request\n    Topics  []\n";
const AFTER: &str = "
      Name  string  @topic
    Last  int8
  response
    ErrorCode  int16  @error!
embedded subscription 0-3
  Topics  []string  @topic
embedded assignment 0-3
  UserData  bytes?
";

fn build(text: &str) -> Result<String, String> {
    let mut table = read::Table::default();
    read::read("records.txt", text, &mut table)?;
    Ok(write::write(&check::check(&table)?))
}

#[test]
fn a_mistake_names_file_and_line() {
    build(&format!("{BEFORE}      Id  uuid  4+  @topic-id{AFTER}")).expect("a good table");
    let mistakes = [
        ("      Id  int33", "`int33` is no type"),
        ("      Id", "write `Name type`, and what else"),
        ("      Id  int32  4+  what", "`what` says nothing here"),
        ("      Id  int32  9-4", "`9-4` are no versions"),
        ("      Id  int32  1-5", "the versions go beyond 3-13 of the message"),
        ("      Id  int32  null 4+", "`null` says when a type with `?` may be null"),
        ("      Id  int32  @nothing", "`@nothing` is no mark"),
        ("      Id  int32  @topic", "`@topic` does not fit this type"),
        ("      Id  int32  @host(Id)", "`@host` does not fit this type"),
        ("      Id  string  @host(Nobody)", "no field `Nobody` here or around"),
        ("      Id  string  @host(Last)", "`Last` comes later than this struct"),
        ("      Id  int32  tag 0", "a tagged field in a version that is not flexible"),
        ("      Id  []", "fields stand below `[]` and `{}`, and below nothing else"),
        ("      Id  Nobody", "no `struct` of this name in this message"),
        ("      Name  string", "a second `Name`"),
        ("      Id  int32  = Name", "only fields of responses answer"),
        ("        Id  int32", "indented by 4 levels instead of 3"),
        ("     Id  int32", "indent by two spaces for each level, without tabs"),
        ("      Id  int32  default 1000000000000", "`1000000000000` is no number that fits here"),
        ("      Id  int32  tag", "nothing behind `tag`"),
    ];
    for (line, problem) in mistakes {
        let wanted = format!("records.txt:5: {problem}");
        // A second name is found where it is said the second time.
        let wanted = if line.contains("Name  string") { wanted.replace(":5:", ":6:") } else { wanted };
        assert_eq!(build(&format!("{BEFORE}{line}{AFTER}")), Err(wanted), "{line}");
    }
}

#[test]
fn a_mistake_in_an_answer_names_file_and_line() {
    let table = |list: &str, name: &str| {
        format!(
            "api 0 Produce 3-13, flexible 9+\n  request\n    Topics  []\n      Name  string\n    Ids  []uuid\n  response\n    \
             Topics  []  {list}\n      Name  string  {name}\nembedded subscription 0\n  A  int8\nembedded assignment 0\n  A  int8\n"
        )
    };
    build(&table("each Topics", "= Name")).expect("a good table");
    for (list, name, wanted) in [
        ("each Nothing", "", "records.txt:7: the request has no list `Nothing` here"),
        ("each Topics", "= Nothing", "records.txt:8: the request has no `Nothing` here"),
        ("each Ids, Topics", "= Id", "records.txt:8: the request has no `Id` here"),
        ("each Topics", "@error!", "records.txt:8: `@error` does not fit this type"),
        ("each Topics", "@topic!", "records.txt:8: `!` belongs to `@error`"),
    ] {
        assert_eq!(build(&table(list, name)), Err(wanted.to_owned()));
    }
}

#[test]
fn a_mistake_in_the_whole_names_file_and_line() {
    let both = "embedded subscription 0\n  A  int8\nembedded assignment 0\n  A  int8\n";
    let sides = "\n  request\n    A  int8\n  response\n    B  int8\n";
    for (text, wanted) in [
        ("Fetch\n".to_owned(), "records.txt:1: write `api KEY Name VERSIONS` or `embedded NAME VERSIONS`"),
        ("  api\n".to_owned(), "records.txt:1: this stands under nothing: begin with `api KEY Name VERSIONS`"),
        ("api 1 Fetch 4+\n".to_owned(), "records.txt:1: say the last version as well"),
        ("api x Fetch 4\n".to_owned(), "records.txt:1: `x` is no API key"),
        ("api 1 Fetch 4\n  request\n".to_owned(), "records.txt:1: an API has a `request` and a `response`"),
        ("api 1 Fetch 4\n  reply\n".to_owned(), "records.txt:2: below an API stand `request` and `response`"),
        (format!("api 1 A 4{sides}api 1 B 4{sides}{both}"), "records.txt:6: API 1 is there already, as A"),
        (format!("api 1 A 4{sides}"), "the tables lack `embedded subscription`"),
        (
            format!("api 1 A 4\n  request\n    L  []S\n    struct S\n      S  S\n  response\n    B  int8\n{both}"),
            "records.txt:5: more than 12 structs in each other: does one name itself?",
        ),
        (
            format!("api 1 A 4-5\n  request\n    L  []\n      A  int8  5+\n  response\n    B  int8\n{both}"),
            "records.txt:3: an element of this list may be of no size at all, so that a count promises nothing",
        ),
    ] {
        assert_eq!(build(&text), Err(wanted.to_owned()), "{text}");
    }
}
