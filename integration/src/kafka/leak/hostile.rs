//! Frames that are damaged on purpose, each on a connection of its own.

use std::time::{Duration, Instant};

use anyhow::Result;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{FetchRequest, GroupId, ListGroupsRequest, MetadataRequest, OffsetFetchRequest};
use kafka_protocol::protocol::StrBytes;

use super::player::{Player, topic_name};
use crate::kafka::wire::Wire;

/// How long answers to such a frame are waited for.
const PATIENCE: Duration = Duration::from_millis(60);

impl Player {
    /// Sends one, and searches whatever comes of it. That the connection ends is an answer, too.
    pub(super) fn be_hostile(&mut self) -> Result<()> {
        let mut wire = self.another(PATIENCE)?;
        let mut frame = self.frame(&mut wire)?;
        self.damage(&mut frame);
        self.report.hostile += 1;
        // What stands in it that is another's may come back.
        let names = self.names.clone();
        self.said.extend(names.tenants.iter().map(|tenant| format!("{}orders", tenant.prefix).into_bytes()));
        if wire.send(&frame).is_ok() {
            let until = Instant::now() + PATIENCE;
            while Instant::now() < until {
                let Ok(bytes) = wire.receive() else { break };
                self.search("an answer to a damaged frame", &bytes)?;
            }
        }
        self.said.clear();
        Ok(())
    }

    fn frame(&mut self, wire: &mut Wire) -> Result<Vec<u8>> {
        let names = self.names.clone();
        let name = format!("{}orders", self.random.one_of(&names.tenants).prefix);
        let version = self.random.below(13) as i16;
        match self.random.below(4) {
            0 => {
                let topic = MetadataRequestTopic::default().with_name(Some(topic_name(&name)));
                wire.frame(version, &MetadataRequest::default().with_topics(Some(vec![topic])))
            }
            1 => {
                let asked = FetchPartition::default().with_partition_max_bytes(1 << 20);
                let topic = FetchTopic::default().with_topic(topic_name(&name)).with_partitions(vec![asked]);
                wire.frame(version.max(4), &FetchRequest::default().with_max_bytes(1 << 20).with_topics(vec![topic]))
            }
            2 => wire.frame(version.min(5), &ListGroupsRequest::default()),
            _ => {
                let group = GroupId(StrBytes::from_string(name));
                wire.frame(version.clamp(2, 7), &OffsetFetchRequest::default().with_group_id(group).with_topics(None))
            }
        }
    }

    fn damage(&mut self, frame: &mut Vec<u8>) {
        match self.random.below(8) {
            0 => frame.truncate(self.random.below(frame.len())),
            1 => {
                let length = *self.random.one_of(&[-1i32, 0, 1, i32::MAX, 100 << 20, 1 << 16]);
                frame.splice(..4, length.to_be_bytes());
            }
            2 => frame.extend_from_within(4..),
            3 => {
                // Behind it the same once more, without waiting.
                for _ in 0..self.random.below(4) {
                    frame.extend_from_within(..);
                }
            }
            4 => {
                let at = 4 + self.random.below(frame.len() - 4);
                frame.splice(at..at, [0xff; 9]);
            }
            _ => {
                for _ in 0..1 + self.random.below(3) {
                    let at = 4 + self.random.below(frame.len() - 4);
                    if let Some(byte) = frame.get_mut(at) {
                        *byte ^= 1 << self.random.below(8);
                    }
                }
            }
        }
    }
}
