//! What a tenant asks beside writing and reading: of its own things, of others', and of what is nobody's.

use anyhow::Result;
use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::names::{GROUPS, LEDGER, SCRATCH, TOPICS, TRANSACTIONS};
use super::player::{Player, creatable, topic_name};
use crate::kafka::wire::batch;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

impl Player {
    /// Asks something.
    pub(super) fn ask(&mut self) -> Result<()> {
        match self.random.below(26) {
            0..4 => self.metadata(),
            4 => self.foreign_records(),
            5 => self.write_elsewhere(),
            6 => self.list_offsets(),
            7..9 => self.offsets_of_groups(),
            9 => self.coordinators(),
            10..12 => self.groups(),
            12 => self.join(),
            13 => self.heartbeat(),
            14 => self.configs(),
            15..17 => self.make_and_remove(),
            17..19 => self.transaction(),
            19 => self.transactions_listed(),
            20 => self.pages(),
            21 => self.producers(),
            22 => self.epochs(),
            23 => self.cut_off(),
            24 => self.cluster(),
            _ => self.removals(),
        }
    }

    /// A topic: its own, another's by the broker's name, its own by that, or nobody's. Another's may be said back.
    fn topic(&mut self) -> String {
        let names = self.names.clone();
        let own = self.random.one_of(&TOPICS).0.to_owned();
        let name = match self.random.below(9) {
            0..4 => own,
            4 => (*self.random.one_of(&SCRATCH)).to_owned(),
            5 | 6 => format!("{}{own}", self.random.one_of(&names.tenants).prefix),
            7 => "__consumer_offsets".to_owned(),
            _ => format!("nobodys-{}", self.random.below(100)),
        };
        self.may_come_back(&name);
        name
    }

    fn named(&mut self, own: &[&str]) -> String {
        let names = self.names.clone();
        let own = (*self.random.one_of(own)).to_owned();
        let name =
            if self.random.chance(70) { own } else { format!("{}{own}", self.random.one_of(&names.tenants).prefix) };
        self.may_come_back(&name);
        name
    }

    /// An id of a topic: its own, another's, or nobody's.
    fn id(&mut self) -> Uuid {
        let others = self.names.ids_of_others(&self.tenant().mark);
        let own: Vec<Uuid> = self.ids.values().copied().collect();
        let id = match self.random.below(10) {
            0..4 => *self.random.one_of(&own),
            4..9 if !others.is_empty() => *self.random.one_of(&others),
            _ => Uuid::from_u64_pair(self.random.next(), self.random.next()),
        };
        self.said.push(id.as_bytes().to_vec());
        id
    }

    fn may_come_back(&mut self, name: &str) {
        self.said.push(name.as_bytes().to_vec());
    }

    fn metadata(&mut self) -> Result<()> {
        let all = self.random.chance(30);
        let (name, id) = (self.topic(), self.id());
        self.go::<MetadataRequest>("Metadata", None, |version| {
            let by_name = MetadataRequestTopic::default().with_name(Some(topic_name(&name)));
            let by_id = MetadataRequestTopic::default().with_name(None).with_topic_id(id);
            let asked = if version > 11 { vec![by_name, by_id] } else { vec![by_name] };
            let request = MetadataRequest::default().with_topics((!all).then_some(asked));
            if version > 3 { request.with_allow_auto_topic_creation(true) } else { request }
        })?;
        Ok(())
    }

    /// Reads by another's id, or name.
    fn foreign_records(&mut self) -> Result<()> {
        let (name, id) = (self.topic(), self.id());
        let asked = FetchPartition::default().with_partition_max_bytes(1 << 20);
        self.go::<FetchRequest>("Fetch", None, |version| {
            let topic = FetchTopic::default().with_partitions(vec![asked]);
            let topic = if version > 12 { topic.with_topic_id(id) } else { topic.with_topic(topic_name(&name)) };
            FetchRequest::default().with_max_bytes(1 << 20).with_topics(vec![topic])
        })?;
        Ok(())
    }

    /// Writes to a name or an id that is another's, or that does not count.
    fn write_elsewhere(&mut self) -> Result<()> {
        let name = format!("{}orders", self.random.one_of(&self.names.clone().tenants).prefix);
        self.may_come_back(&name);
        let others = self.names.ids_of_others(&self.tenant().mark);
        let id = if others.is_empty() { Uuid::from_u64_pair(1, 1) } else { *self.random.one_of(&others) };
        self.said.push(id.as_bytes().to_vec());
        let records = batch(&[format!("{} elsewhere", self.tenant().mark)], (-1, -1, -1, false))?;
        self.go::<ProduceRequest>("Produce", None, |version| {
            let data = PartitionProduceData::default().with_records(Some(records));
            let topic = TopicProduceData::default().with_partition_data(vec![data]);
            let topic = if version > 12 { topic.with_topic_id(id) } else { topic.with_name(topic_name(&name)) };
            ProduceRequest::default().with_acks(1).with_timeout_ms(1_000).with_topic_data(vec![topic])
        })?;
        Ok(())
    }

    fn list_offsets(&mut self) -> Result<()> {
        let name = self.topic();
        let when = *self.random.one_of(&[-1, -2, 0]);
        self.go::<ListOffsetsRequest>("ListOffsets", None, |_| {
            let asked = ListOffsetsPartition::default().with_timestamp(when);
            let topic = ListOffsetsTopic::default().with_name(topic_name(&name)).with_partitions(vec![asked]);
            ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
        })?;
        Ok(())
    }

    fn offsets_of_groups(&mut self) -> Result<()> {
        // What is committed stays: nothing in it is another's.
        let (group, topic) = (*self.random.one_of(&GROUPS), self.random.one_of(&TOPICS).0);
        let metadata = format!("{} was here", self.tenant().mark);
        self.go::<OffsetCommitRequest>("OffsetCommit", Some(8), |_| {
            let partition = OffsetCommitRequestPartition::default().with_committed_metadata(Some(text(&metadata)));
            let topic =
                OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
            let request = OffsetCommitRequest::default().with_group_id(GroupId(text(group)));
            request.with_generation_id_or_member_epoch(-1).with_topics(vec![topic])
        })?;
        let (group, name, all) = (self.named(&GROUPS), self.topic(), self.random.chance(50));
        self.go::<OffsetFetchRequest>("OffsetFetch", None, |version| {
            let request = OffsetFetchRequest::default();
            if version > 7 {
                let topic = OffsetFetchRequestTopics::default().with_partition_indexes(vec![0, 1]);
                let topic = topic.with_name(topic_name(&name));
                // By id, nothing is asked here.
                let topics = (!all && version < 10).then(|| vec![topic]);
                let group = OffsetFetchRequestGroup::default().with_group_id(GroupId(text(&group)));
                return request.with_groups(vec![group.with_topics(topics)]);
            }
            let topic = OffsetFetchRequestTopic::default().with_partition_indexes(vec![0, 1]);
            let topics = (!all || version < 2).then(|| vec![topic.with_name(topic_name(&name))]);
            request.with_group_id(GroupId(text(&group))).with_topics(topics)
        })?;
        Ok(())
    }

    fn coordinators(&mut self) -> Result<()> {
        let of_transactions = self.random.chance(50);
        let key = if of_transactions { self.named(&TRANSACTIONS) } else { self.named(&GROUPS) };
        self.go::<FindCoordinatorRequest>("FindCoordinator", None, |version| {
            let request = FindCoordinatorRequest::default();
            let request = if version > 0 { request.with_key_type(i8::from(of_transactions)) } else { request };
            if version > 3 { request.with_coordinator_keys(vec![text(&key)]) } else { request.with_key(text(&key)) }
        })?;
        Ok(())
    }

    fn groups(&mut self) -> Result<()> {
        self.go::<ListGroupsRequest>("ListGroups", None, |_| ListGroupsRequest::default())?;
        let (one, other) = (self.named(&GROUPS), self.named(&GROUPS));
        let ids = vec![GroupId(text(&one)), GroupId(text(&other))];
        let of = ids.clone();
        self.go::<DescribeGroupsRequest>("DescribeGroups", None, |_| DescribeGroupsRequest::default().with_groups(of))?;
        self.said.extend([one.into_bytes(), other.into_bytes()]);
        self.go::<ConsumerGroupDescribeRequest>("ConsumerGroupDescribe", None, |_| {
            ConsumerGroupDescribeRequest::default().with_group_ids(ids)
        })?;
        Ok(())
    }

    /// Joins a classic group, and leaves it.
    fn join(&mut self) -> Result<()> {
        let group = format!("joined-{}", self.random.below(20));
        let topic = self.random.one_of(&TOPICS).0;
        let length = [&u16::try_from(topic.len())?.to_be_bytes()[..], topic.as_bytes()].concat();
        let subscription = [&[0, 0, 0, 0, 0, 1][..], &length, &[0xff; 4]].concat();
        let mut member = String::new();
        for _ in 0..2 {
            let (id, metadata) = (member.clone(), Bytes::from(subscription.clone()));
            let joined = self.go::<JoinGroupRequest>("JoinGroup", Some(7), |_| {
                let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(metadata);
                JoinGroupRequest::default()
                    .with_group_id(GroupId(text(&group)))
                    .with_session_timeout_ms(6_000)
                    .with_rebalance_timeout_ms(1_000)
                    .with_member_id(text(&id))
                    .with_protocol_type(text("consumer"))
                    .with_protocols(vec![protocol])
            })?;
            member = joined.map_or(String::new(), |joined| joined.member_id.to_string());
        }
        self.go::<LeaveGroupRequest>("LeaveGroup", Some(2), |_| {
            LeaveGroupRequest::default().with_group_id(GroupId(text(&group))).with_member_id(text(&member))
        })?;
        Ok(())
    }

    /// Joins a group in which the broker assigns partitions, by names or by a pattern, and leaves it.
    fn heartbeat(&mut self) -> Result<()> {
        let group = GroupId(text(&format!("beating-{}", self.random.below(20))));
        let member = text(&Uuid::from_u64_pair(self.random.next(), self.random.next()).to_string());
        let names = TOPICS.map(|(name, _)| topic_name(name)).to_vec();
        let pattern = *self.random.one_of(&[".*", "orders|.*bills", "a)|(?:.*", "[a-z.-]*", "^.*$", "\\Q.\\E|.*"]);
        let id = self.id();
        let request = move |group: &GroupId| {
            ConsumerGroupHeartbeatRequest::default().with_group_id(group.clone()).with_member_id(member.clone())
        };
        for epoch in [0, -1] {
            let (of, names) = (group.clone(), names.clone());
            let begin = request.clone();
            self.said.push(id.as_bytes().to_vec());
            self.go::<ConsumerGroupHeartbeatRequest>("ConsumerGroupHeartbeat", None, |version| {
                let request = begin(&of).with_member_epoch(epoch).with_rebalance_timeout_ms(1_000);
                if epoch < 0 {
                    return request;
                }
                let owned = TopicPartitions::default().with_topic_id(id).with_partitions(vec![0]);
                let request = request.with_topic_partitions(Some(if version > 0 { vec![] } else { vec![owned] }));
                let request = request.with_subscribed_topic_names(Some(names));
                if version > 0 { request.with_subscribed_topic_regex(Some(text(pattern))) } else { request }
            })?;
        }
        Ok(())
    }

    fn configs(&mut self) -> Result<()> {
        let (topic, group) = (self.topic(), self.named(&GROUPS));
        let kind = *self.random.one_of(&[2, 4, 8, 16, 32]);
        let name = match kind {
            2 => topic,
            32 => group,
            _ => "1".to_owned(),
        };
        let of = text(&name);
        let again = of.clone();
        self.go::<DescribeConfigsRequest>("DescribeConfigs", None, |_| {
            let resource = DescribeConfigsResource::default().with_resource_type(kind).with_resource_name(of);
            DescribeConfigsRequest::default().with_resources(vec![resource.with_configuration_keys(None)])
        })?;
        if kind == 2 && TOPICS.iter().all(|(own, _)| *own != name) {
            self.may_come_back(&name);
            self.go::<IncrementalAlterConfigsRequest>("IncrementalAlterConfigs", None, |_| {
                let change =
                    AlterableConfig::default().with_name(text("retention.ms")).with_value(Some(text("3600000")));
                let resource = AlterConfigsResource::default().with_resource_type(2).with_resource_name(again);
                let resource = resource.with_configs(vec![change]);
                IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
            })?;
        }
        Ok(())
    }

    fn make_and_remove(&mut self) -> Result<()> {
        let (name, again) = (*self.random.one_of(&SCRATCH), *self.random.one_of(&SCRATCH));
        let partitions = 1 + self.random.below(3) as i32;
        self.go::<CreateTopicsRequest>("CreateTopics", None, |_| {
            let topics = vec![creatable(name, partitions)];
            CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(5_000)
        })?;
        let (other, id) = (self.topic(), self.id());
        let foreign = TOPICS.iter().all(|(own, _)| *own != other) && !self.ids.values().any(|own| *own == id);
        self.go::<DeleteTopicsRequest>("DeleteTopics", None, |version| {
            let request = DeleteTopicsRequest::default().with_timeout_ms(5_000);
            let (again, other) = (topic_name(again), topic_name(&other));
            if version < 6 {
                return request.with_topic_names(if foreign { vec![again, other] } else { vec![again] });
            }
            let named = |name| DeleteTopicState::default().with_name(Some(name));
            let by_id = DeleteTopicState::default().with_name(None).with_topic_id(id);
            let others = if foreign { vec![named(other), by_id] } else { vec![] };
            request.with_topics([vec![named(again)], others].concat())
        })?;
        Ok(())
    }

    /// A transaction, committed or given up.
    fn transaction(&mut self) -> Result<()> {
        let id = TransactionalId(text(self.random.one_of::<&str>(&TRANSACTIONS)));
        let of = id.clone();
        let told = self.go::<InitProducerIdRequest>("InitProducerId", Some(4), |_| {
            InitProducerIdRequest::default()
                .with_transactional_id(Some(of))
                .with_transaction_timeout_ms(10_000)
                .with_producer_id(ProducerId(-1))
                .with_producer_epoch(-1)
        })?;
        let Some(told) = told.filter(|told| told.error_code == 0) else { return Ok(()) };
        let (producer, epoch) = (told.producer_id, told.producer_epoch);
        let of = id.clone();
        let name = self.topic();
        self.go::<AddPartitionsToTxnRequest>("AddPartitionsToTxn", Some(3), |_| {
            let topics = [topic_name(LEDGER), topic_name(&name)]
                .map(|name| AddPartitionsToTxnTopic::default().with_name(name).with_partitions(vec![0]));
            // Where a transaction wrote, its end takes an offset.
            let other = TOPICS.iter().all(|(own, _)| *own != name);
            let topics = topics.into_iter().take(if other { 2 } else { 1 }).collect();
            AddPartitionsToTxnRequest::default()
                .with_v3_and_below_transactional_id(of)
                .with_v3_and_below_producer_id(producer)
                .with_v3_and_below_producer_epoch(epoch)
                .with_v3_and_below_topics(topics)
        })?;
        let values = [format!("{} {LEDGER}", self.tenant().mark)];
        let records = batch(&values, (producer.0, epoch, 0, true))?;
        let of = id.clone();
        self.go::<ProduceRequest>("Produce", Some(11), |_| {
            let data = PartitionProduceData::default().with_records(Some(records));
            let topic = TopicProduceData::default().with_name(topic_name(LEDGER)).with_partition_data(vec![data]);
            let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic]);
            request.with_transactional_id(Some(of))
        })?;
        let commit = self.random.chance(50);
        self.go::<EndTxnRequest>("EndTxn", Some(3), |_| {
            let request = EndTxnRequest::default().with_transactional_id(id).with_committed(commit);
            request.with_producer_id(producer).with_producer_epoch(epoch)
        })?;
        Ok(())
    }

    fn transactions_listed(&mut self) -> Result<()> {
        self.go::<ListTransactionsRequest>("ListTransactions", None, |version| {
            let request = ListTransactionsRequest::default();
            if version > 1 { request.with_transactional_id_pattern(Some(text(".*"))) } else { request }
        })?;
        let id = self.named(&TRANSACTIONS);
        self.go::<DescribeTransactionsRequest>("DescribeTransactions", None, |_| {
            DescribeTransactionsRequest::default().with_transactional_ids(vec![TransactionalId(text(&id))])
        })?;
        Ok(())
    }

    fn pages(&mut self) -> Result<()> {
        let names = if self.random.chance(40) { vec![] } else { vec![self.topic(), self.topic()] };
        self.go::<DescribeTopicPartitionsRequest>("DescribeTopicPartitions", None, |_| {
            use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest;
            let mut names = names;
            names.sort();
            let topics = names.iter().map(|name| TopicRequest::default().with_name(topic_name(name))).collect();
            DescribeTopicPartitionsRequest::default().with_topics(topics).with_response_partition_limit(3)
        })?;
        Ok(())
    }

    fn producers(&mut self) -> Result<()> {
        let name = self.topic();
        self.go::<DescribeProducersRequest>("DescribeProducers", None, |_| {
            use kafka_protocol::messages::describe_producers_request::TopicRequest;
            let topic = TopicRequest::default().with_name(topic_name(&name)).with_partition_indexes(vec![0, 1]);
            DescribeProducersRequest::default().with_topics(vec![topic])
        })?;
        Ok(())
    }

    fn epochs(&mut self) -> Result<()> {
        let name = self.topic();
        self.go::<OffsetForLeaderEpochRequest>("OffsetForLeaderEpoch", None, |version| {
            let partition = OffsetForLeaderPartition::default().with_current_leader_epoch(-1);
            let topic = OffsetForLeaderTopic::default().with_topic(topic_name(&name)).with_partitions(vec![partition]);
            let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
            if version > 2 { request.with_replica_id(BrokerId(-1)) } else { request }
        })?;
        Ok(())
    }

    /// Would cut off, or stretch, what is not its own.
    fn cut_off(&mut self) -> Result<()> {
        let name = self.topic();
        if TOPICS.iter().any(|(own, _)| *own == name) {
            self.said.clear();
            return Ok(());
        }
        let of = topic_name(&name);
        self.go::<DeleteRecordsRequest>("DeleteRecords", None, |_| {
            let partition = DeleteRecordsPartition::default().with_offset(-1);
            let topic = DeleteRecordsTopic::default().with_name(of).with_partitions(vec![partition]);
            DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(1_000)
        })?;
        self.may_come_back(&name);
        self.go::<CreatePartitionsRequest>("CreatePartitions", None, |_| {
            let topic = CreatePartitionsTopic::default().with_name(topic_name(&name)).with_count(5);
            let request = CreatePartitionsRequest::default().with_timeout_ms(1_000);
            request.with_topics(vec![topic.with_assignments(None)])
        })?;
        Ok(())
    }

    fn cluster(&mut self) -> Result<()> {
        self.go::<DescribeClusterRequest>("DescribeCluster", None, |_| DescribeClusterRequest::default())?;
        self.go::<DescribeLogDirsRequest>("DescribeLogDirs", None, |_| {
            DescribeLogDirsRequest::default().with_topics(None)
        })?;
        self.go::<DescribeAclsRequest>("DescribeAcls", None, |_| {
            DescribeAclsRequest::default()
                .with_resource_type_filter(1)
                .with_pattern_type_filter(1)
                .with_operation(1)
                .with_permission_type(1)
        })?;
        Ok(())
    }

    fn removals(&mut self) -> Result<()> {
        let group = self.named(&GROUPS);
        self.go::<DeleteGroupsRequest>("DeleteGroups", None, |_| {
            DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(&group))])
        })?;
        Ok(())
    }
}
