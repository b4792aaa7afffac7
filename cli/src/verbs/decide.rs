//! `partywall decide`.

use std::path::PathBuf;

use cedar_policy::{Context, Entities, EntityUid, Request, Schema};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::cedar_files::{self, text};
use crate::command::{note, say, say_json};
use crate::exit::{Exit, Failure, Outcome};
use crate::lower::any::{Compiled, oracle};
use crate::lower::oracle::Ruling;
use crate::lower::with_room;

/// Decide one request by any Cedar policies
///
/// Takes the files of the `cedar` command line: policies in Cedar's syntax or as JSON, links of templates, a schema,
/// entities and a request, and answers as `cedar authorize` does, by the decision program that sidecars evaluate, by
/// Cedar's own authorizer, or by both. Exit status: 0 allow, 1 deny, 3 a file that is not right, or an answer on which
/// the two differ.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall decide --policies p.cedar --entities e.json --request r.json
  partywall decide --schema s.cedarschema --policies p.cedar --entities e.json --request r.json --with both -v
  echo '{\"principal\": \"User::\\\"ann\\\"\", \"action\": \"Action::\\\"read\\\"\", \"resource\": \"Doc::\\\"1\\\"\"}' > r.json"
)]
pub(crate) struct Args {
    /// Policies; more than one file is one set
    #[arg(long, required = true)]
    policies: Vec<PathBuf>,
    /// Links of templates, as `cedar link` writes them; or as YAML, like policies/links.yaml
    #[arg(long)]
    links: Option<PathBuf>,
    /// Schema, in Cedar's syntax, or as JSON when its name ends so
    #[arg(long)]
    schema: Option<PathBuf>,
    /// Entities
    #[arg(long)]
    entities: PathBuf,
    /// Request: principal, action, resource and context
    #[arg(long)]
    request: PathBuf,
    /// Who is asked
    #[arg(long, default_value = "program")]
    with: With,
    /// Do not hold the request against the schema
    #[arg(long, requires = "schema")]
    no_request_validation: bool,
    /// Name the policies that made the decision
    #[arg(short, long)]
    verbose: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum With {
    /// The decision program
    Program,
    /// Cedar's authorizer
    Oracle,
    /// Both, which must agree
    Both,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let set = cedar_files::policies(&args.policies, args.links.as_deref())?;
    let schema = args.schema.as_deref().map(cedar_files::schema).transpose()?;
    let text = text(&args.entities)?;
    let entities = Entities::from_json_str(&text, schema.as_ref())
        .map_err(|e| Failure::file(&args.entities, cedar_files::with_causes(&e)))?;
    let request = request(args, schema.as_ref())?;
    let ruling = match args.with {
        With::Oracle => with_room(|| oracle(&set, &request, &entities)),
        With::Program => program(&set, schema.as_ref(), &request, &entities)?,
        With::Both => {
            let ours = program(&set, schema.as_ref(), &request, &entities)?;
            let theirs = with_room(|| oracle(&set, &request, &entities));
            if ours != theirs {
                let message =
                    format!("program and Cedar differ: {ours:?}, but {theirs:?}: please report it with the files");
                return Err(Failure::invalid(message));
            }
            ours
        }
    };
    tell(args, &ruling)?;
    Ok(if ruling.allowed { Exit::Fine } else { Exit::Findings })
}

fn program(
    set: &cedar_policy::PolicySet,
    schema: Option<&Schema>,
    request: &Request,
    entities: &Entities,
) -> Result<Ruling, Failure> {
    let mut actions: Vec<EntityUid> = schema.into_iter().flat_map(|s| s.actions().cloned()).collect();
    actions.extend(request.action().cloned());
    let compiled = Compiled::new(set, &actions, entities).map_err(|e| Failure::invalid(e.join("\n")))?;
    compiled.ask(request, entities).map_err(Failure::invalid)
}

fn tell(args: &Args, ruling: &Ruling) -> Outcome {
    if args.json {
        return say_json(&json!({
            "decision": if ruling.allowed { "allow" } else { "deny" },
            "policies": ruling.determining,
            "errors": ruling.errors,
        }));
    }
    say(if ruling.allowed { "ALLOW" } else { "DENY" });
    for policy in &ruling.errors {
        note(format_args!("policy `{policy}` could not be evaluated, so it counts as not there"));
    }
    if args.verbose {
        if ruling.determining.is_empty() {
            say("note: no policies applied to this request");
        } else {
            say("note: this decision was due to the following policies:");
            ruling.determining.iter().for_each(|policy| say(format_args!("  {policy}")));
        }
    }
    Ok(Exit::Fine)
}

/// The request: entities as `Type::"id"` or as `{"type": …, "id": …}`.
fn request(args: &Args, schema: Option<&Schema>) -> Result<Request, Failure> {
    let path = &args.request;
    let value: Value = serde_json::from_str(&text(path)?).map_err(|e| Failure::file(path, e))?;
    let uid = |name: &str| -> Result<EntityUid, Failure> {
        let missing = || {
            let example = if name == "action" { "Action::\\\"read\\\"" } else { "User::\\\"ann\\\"" };
            Failure::file(path, format!("has no `{name}`: write `\"{name}\": \"{example}\"`"))
        };
        match value.get(name) {
            Some(Value::String(text)) => {
                text.parse().map_err(|e| Failure::file(path, format!("`{name}` is no entity: {e}")))
            }
            Some(object @ Value::Object(_)) => EntityUid::from_json(object.clone())
                .map_err(|e| Failure::file(path, format!("`{name}` is no entity: {e}"))),
            Some(_) | None => Err(missing()),
        }
    };
    let (principal, action, resource) = (uid("principal")?, uid("action")?, uid("resource")?);
    let context = value.get("context").cloned().unwrap_or_else(|| json!({}));
    let typed = schema.map(|schema| (schema, &action));
    let context = Context::from_json_value(context, typed)
        .map_err(|e| Failure::file(path, format!("`context`: {}", cedar_files::with_causes(&e))))?;
    let held_against = schema.filter(|_| !args.no_request_validation);
    Request::new(principal, action, resource, context, held_against).map_err(|e| Failure::file(path, e))
}
