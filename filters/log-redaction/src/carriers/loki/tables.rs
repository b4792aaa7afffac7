//! `logproto.PushRequest`, from Loki's pkg/push/push.proto: <https://github.com/grafana/loki>.

use super::super::leaves::{Slot, Unit};
use super::super::schema::{Schema, Tags, What, bare, known, step};

/// What `/loki/api/v1/push` takes.
pub(crate) static PUSH: Schema = Schema::new(&[bare(1, "streams", What::Unit(Unit::Resource, &STREAM))], Tags::Nowhere);
static STREAM: Schema = Schema::new(
    &[
        bare(1, "labels", What::Labels),
        bare(2, "entries", What::Unit(Unit::Record, &ENTRY)),
        known(3, "hash", What::Number),
    ],
    Tags::Nowhere,
);
static ENTRY: Schema = Schema::new(
    &[
        known(1, "timestamp", What::Message(&TIME)),
        known(2, "line", What::Text(Slot::Body)),
        step(3, "structuredMetadata", "metadata", What::Pair(Slot::Metadata)),
        step(4, "parsed", "metadata", What::Pair(Slot::Metadata)),
    ],
    Tags::Pairs(3),
);
static TIME: Schema = Schema::new(&[known(1, "seconds", What::Number), known(2, "nanos", What::Number)], Tags::Nowhere);
