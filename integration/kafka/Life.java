/*
 * What a tenant does with Kafka on an ordinary day, with Kafka's own client:
 *
 *     java Life.java PART,PART... BOOTSTRAP MARK [key=value...]
 *
 * It prints what came of it, line by line, with nothing in it that differs from one run to the next: what a broker tells
 * a client that is alone, a filter has to tell each of many. Every record that is written has MARK in it, and one that is
 * read without it ends the program. Settings of clients may follow.
 */
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

public class Life {
    static String mark;
    static final Map<String, Object> common = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "error");
        common.put("bootstrap.servers", arguments[1]);
        common.put("client.id", "life");
        mark = arguments[2];
        for (int at = 3; at < arguments.length; at++) {
            String[] pair = arguments[at].split("=", 2);
            common.put(pair[0], pair[1]);
        }
        for (String part : arguments[0].split(",")) {
            say("---", part);
            switch (part) {
                case "topics" -> topics();
                case "records" -> records();
                case "transactions" -> transactions();
                case "classic" -> groups("classic");
                case "consumer" -> groups("consumer");
                case "patterns" -> patterns();
                case "share" -> share();
                case "compacted" -> compacted();
                default -> throw new IllegalArgumentException(part);
            }
        }
        // Threads of clients that were left open on purpose end with it.
        System.exit(0);
    }

    // Making, seeing, changing and removing topics.
    static void topics() throws Exception {
        try (Admin admin = admin()) {
            NewTopic orders = new NewTopic("orders", 3, (short) 1).configs(Map.of("retention.ms", "3600000"));
            NewTopic bills = new NewTopic("bills", Optional.empty(), Optional.empty());
            CreateTopicsResult made = admin.createTopics(List.of(orders, bills));
            say("made", told(made.values()));
            say("partitions of orders", made.numPartitions("orders").get());
            say("again", told(admin.createTopics(List.of(orders)).values()));
            say("no name", told(admin.createTopics(List.of(new NewTopic("or ders", 1, (short) 1))).values()));
            say("topics", new TreeSet<>(await(() -> admin.listTopics().names(), names -> names.size() == 2)));
            Map<String, TopicDescription> described = described(admin, List.of("orders", "bills"));
            described.forEach((name, topic) -> say(name, topic.partitions().size() + " partitions, "
                + topic.partitions().get(0).replicas().size() + " replicas"));
            Uuid id = described.get("orders").topicId();
            say("by its id", admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get()
                .get(id).name());
            say("by no id", told(admin.describeTopics(TopicCollection.ofTopicIds(List.of(new Uuid(7, 7))))
                .topicIdValues()));
            say("nobody's", told(admin.describeTopics(List.of("nobodys")).topicNameValues()));

            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, "orders");
            say("retention", admin.describeConfigs(List.of(resource)).all().get().get(resource)
                .get("retention.ms").value());
            AlterConfigOp half = new AlterConfigOp(new ConfigEntry("retention.ms", "1800000"), AlterConfigOp.OpType.SET);
            say("changed", told(admin.incrementalAlterConfigs(Map.of(resource, List.of(half))).values()));
            untilTrue(() -> admin.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.ms").value()
                .equals("1800000"));
            say("more partitions", told(admin.createPartitions(Map.of("orders", NewPartitions.increaseTo(4))).values()));
            untilTrue(() -> described(admin, List.of("orders")).get("orders").partitions().size() == 4);

            write("orders", 0, 10);
            TopicPartition first = new TopicPartition("orders", 0);
            say("latest", offset(admin, first, OffsetSpec.latest()));
            say("cut off", admin.deleteRecords(Map.of(first, RecordsToDelete.beforeOffset(4))).all().get() == null);
            say("earliest", offset(admin, first, OffsetSpec.earliest()));
            say("of a topic that is not there", told(admin.listOffsets(
                Map.of(new TopicPartition("nobodys", 0), OffsetSpec.latest()))));

            say("removed", told(admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).topicIdValues().values()));
            say("removed by name", told(admin.deleteTopics(List.of("bills")).topicNameValues()));
            say("left", await(() -> admin.listTopics().names(), Set::isEmpty).size());
            say("removed again", told(admin.deleteTopics(List.of("bills")).topicNameValues()));
            Collection<Node> nodes = admin.describeCluster().nodes().get();
            say("the controller is a broker", nodes.contains(admin.describeCluster().controller().get()));
        }
    }

    // Records with keys and headers, in the partitions where the client puts them, read back by offset and by time.
    static void records() throws Exception {
        make("records", 4, Map.of());
        try (Producer<String, String> producer = producer(Map.of("compression.type", "zstd"))) {
            for (int n = 0; n < 40; n++) {
                ProducerRecord<String, String> record = new ProducerRecord<>("records", "key-" + n, value("records", n));
                record.headers().add("number", Integer.toString(n).getBytes());
                producer.send(record);
            }
            producer.flush();
            say("partitions", producer.partitionsFor("records").size());
        }
        try (Consumer<String, String> consumer = consumer(Map.of())) {
            List<TopicPartition> all = partitions("records", 4);
            consumer.assign(all);
            consumer.seekToBeginning(all);
            Map<Integer, List<String>> read = new TreeMap<>();
            read(consumer, 40).forEach(record -> read.computeIfAbsent(record.partition(), p -> new ArrayList<>())
                .add(record.offset() + " " + record.key() + " " + checked(record.value())
                    + " " + new String(record.headers().lastHeader("number").value())));
            read.forEach((partition, lines) -> say("partition " + partition, lines));
            say("ends", new TreeMap<>(consumer.endOffsets(all).entrySet().stream()
                .collect(Collectors.toMap(e -> e.getKey().partition(), Map.Entry::getValue))));
            say("begin of time", consumer.offsetsForTimes(Map.of(all.get(0), 0L)).get(all.get(0)).offset());
            say("topics", new TreeSet<>(consumer.listTopics().keySet()));
        }
    }

    // Exactly once: read, worked on and written in one transaction; one that is given up; one that is fenced off.
    static void transactions() throws Exception {
        make("inputs", 2, Map.of());
        make("outputs", 2, Map.of());
        write("inputs", 0, 6);
        write("inputs", 1, 4);
        Map<String, Object> once = Map.of("transactional.id", "pipeline");
        try (Producer<String, String> producer = producer(once);
             Consumer<String, String> consumer = consumer(Map.of("group.id", "pipeline"))) {
            producer.initTransactions();
            consumer.subscribe(List.of("inputs"));
            List<ConsumerRecord<String, String>> read = read(consumer, 10);
            // What is given up is read by nobody, and its offsets do not count.
            producer.beginTransaction();
            read.forEach(r -> producer.send(new ProducerRecord<>("outputs", 0, r.key(), "given up " + r.value())));
            producer.sendOffsetsToTransaction(positions(consumer), consumer.groupMetadata());
            producer.flush();
            producer.abortTransaction();
            say("after giving up", consumer.committed(Set.copyOf(partitions("inputs", 2))).values().stream()
                .filter(Objects::nonNull).count());
            producer.beginTransaction();
            read.forEach(r -> producer.send(new ProducerRecord<>("outputs", r.partition(), r.key(), "done " + r.value())));
            producer.sendOffsetsToTransaction(positions(consumer), consumer.groupMetadata());
            producer.commitTransaction();
            say("committed", new TreeMap<>(consumer.committed(Set.copyOf(partitions("inputs", 2))).entrySet().stream()
                .collect(Collectors.toMap(e -> e.getKey().partition(), e -> e.getValue().offset()))));
        }
        try (Consumer<String, String> reader = consumer(Map.of("isolation.level", "read_committed"))) {
            List<TopicPartition> all = partitions("outputs", 2);
            reader.assign(all);
            reader.seekToBeginning(all);
            say("outputs", read(reader, 10).stream().map(r -> r.partition() + ": " + checked(r.value())).sorted().toList());
            say("and no more", reader.poll(Duration.ofMillis(500)).count());
        }
        try (Producer<String, String> older = producer(once); Producer<String, String> newer = producer(once);
             Admin admin = admin()) {
            older.initTransactions();
            older.beginTransaction();
            older.send(new ProducerRecord<>("outputs", 0, "key", value("outputs", 99))).get();
            say("open", admin.listTransactions().all().get().stream().map(t -> t.transactionalId() + " " + t.state())
                .toList());
            TransactionDescription open = admin.describeTransactions(List.of("pipeline")).all().get().get("pipeline");
            say("it writes to", open.state() + " " + open.topicPartitions());
            say("writers", admin.describeProducers(partitions("outputs", 1)).all().get().values().iterator().next()
                .activeProducers().size() > 0);
            newer.initTransactions();
            say("fenced off", name(attempt(older::commitTransaction)));
            say("none of that name", told(admin.describeTransactions(List.of("nobodys")), "nobodys"));
            say("ended", told(admin.fenceProducers(List.of("pipeline")).fencedProducers()));
        }
    }

    // Two members share the partitions, then one has all; what the group committed is seen, changed and removed.
    static void groups(String protocol) throws Exception {
        String topic = protocol + "-work";
        make(topic, 4, Map.of());
        for (int partition = 0; partition < 4; partition++) {
            write(topic, partition, 5);
        }
        Map<String, Object> settings = new HashMap<>(Map.of("group.id", "workers", "group.protocol", protocol));
        try (Admin admin = admin()) {
            Consumer<String, String> first = consumer(settings);
            Consumer<String, String> second = consumer(settings);
            List<Consumer<String, String>> both = List.of(first, second);
            both.forEach(one -> one.subscribe(List.of(topic)));
            Set<String> read = new TreeSet<>();
            untilTrue(() -> {
                both.forEach(one -> one.poll(Duration.ofMillis(100)).forEach(r -> read.add(checked(r.value()))));
                return first.assignment().size() == 2 && both.stream()
                    .allMatch(one -> one.assignment().size() == 2 && one.assignment().stream().allMatch(p -> one.position(p) == 5));
            });
            say("read", read.size());
            both.forEach(Consumer::commitSync);
            ConsumerGroupDescription group = admin.describeConsumerGroups(List.of("workers")).all().get().get("workers");
            say("group", group.groupId() + " " + group.groupState() + ", " + group.type());
            say("its members", group.members().stream().map(member -> member.clientId() + " "
                + member.assignment().topicPartitions().stream().map(TopicPartition::topic).collect(Collectors.toSet()))
                .toList());
            say("all partitions once", group.members().stream().flatMap(m -> m.assignment().topicPartitions().stream())
                .map(TopicPartition::toString).sorted().toList());
            say("its coordinator is a broker", admin.describeCluster().nodes().get().contains(group.coordinator()));
            second.close();
            untilTrue(() -> {
                first.poll(Duration.ofMillis(100));
                return first.assignment().size() == 4;
            });
            say("alone", new TreeSet<>(first.assignment().stream().map(TopicPartition::toString).toList()));
            say("groups", admin.listGroups().all().get().stream().map(g -> g.groupId() + " " + g.protocol()).toList());
            first.close();
            say("offsets", offsets(admin));
            TopicPartition third = new TopicPartition(topic, 3);
            admin.alterConsumerGroupOffsets("workers", Map.of(third, new OffsetAndMetadata(2))).all().get();
            say("set back", offsets(admin));
            say("one removed", admin.deleteConsumerGroupOffsets("workers", Set.of(third)).all().get() == null);
            say("offsets left", offsets(admin));
            say("group removed", told(admin.deleteConsumerGroups(List.of("workers")).deletedGroups()));
            say("groups left", admin.listGroups().all().get().size());
        }
    }

    // A group that subscribes to all topics of a pattern, which the broker itself looks for.
    static void patterns() throws Exception {
        make("pattern-a", 1, Map.of());
        make("pattern-b", 1, Map.of());
        make("other", 1, Map.of());
        for (String topic : List.of("pattern-a", "pattern-b", "other")) {
            write(topic, 0, 3);
        }
        try (Consumer<String, String> consumer = consumer(Map.of("group.id", "watchers", "group.protocol", "consumer"))) {
            consumer.subscribe(new SubscriptionPattern("pattern-.*|nothing"));
            say("all of them", read(consumer, 6).stream().map(r -> r.topic() + " " + checked(r.value())).sorted().toList());
            say("subscribed", new TreeSet<>(consumer.assignment().stream().map(TopicPartition::toString).toList()));
        }
        try (Consumer<String, String> consumer = consumer(Map.of("group.id", "watchers-of-old"))) {
            consumer.subscribe(java.util.regex.Pattern.compile("pattern-.*"));
            say("by the client", read(consumer, 6).size());
        }
    }

    // A share group: each record to one of its members, acknowledged one by one.
    static void share() throws Exception {
        make("tasks", 2, Map.of());
        try (Admin admin = admin()) {
            ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, "crew");
            AlterConfigOp earliest =
                new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET);
            say("configured", told(admin.incrementalAlterConfigs(Map.of(group, List.of(earliest))).values()));
            write("tasks", 0, 5);
            write("tasks", 1, 5);
            Map<String, Object> settings = all(Map.of("group.id", "crew"));
            try (ShareConsumer<String, String> consumer =
                     new KafkaShareConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
                consumer.subscribe(List.of("tasks"));
                Set<String> done = new TreeSet<>();
                untilTrue(() -> {
                    consumer.poll(Duration.ofMillis(200)).forEach(record -> done.add(checked(record.value())));
                    return done.size() == 10;
                });
                say("acknowledged", consumer.commitSync().values().stream().allMatch(Optional::isEmpty));
                say("done", done);
                ShareGroupDescription crew = admin.describeShareGroups(List.of("crew")).all().get().get("crew");
                say("crew", crew.groupState() + ", " + crew.members().size() + " of " + crew.members().iterator().next()
                    .clientId());
            }
            say("groups", admin.listGroups().all().get().stream().map(g -> g.groupId() + " " + g.type().get()).toList());
        }
    }

    // A topic of which the last record of each key stays, and that takes none without a key.
    static void compacted() throws Exception {
        make("state", 1, Map.of("cleanup.policy", "compact", "segment.ms", "100", "min.cleanable.dirty.ratio", "0.01",
            "max.compaction.lag.ms", "200"));
        try (Producer<String, String> producer = producer(Map.of())) {
            for (int n = 0; n < 30; n++) {
                producer.send(new ProducerRecord<>("state", "key-" + n % 3, value("state", n))).get();
            }
            say("without a key", name(attempt(() -> producer.send(new ProducerRecord<>("state", "nothing")).get())));
        }
        try (Consumer<String, String> consumer = consumer(Map.of())) {
            consumer.assign(partitions("state", 1));
            consumer.seekToBeginning(partitions("state", 1));
            Map<String, String> last = new TreeMap<>();
            untilTrue(() -> {
                consumer.poll(Duration.ofMillis(200)).forEach(r -> last.put(r.key(), checked(r.value())));
                return consumer.position(new TopicPartition("state", 0)) >= 30;
            });
            say("last", last);
        }
    }

    // ---- what they share

    interface Work<T> {
        T run() throws Exception;
    }

    interface Doing {
        void run() throws Exception;
    }

    static void say(String what, Object value) {
        System.out.println(what + ": " + value);
        System.out.flush();
    }

    static Throwable attempt(Doing doing) {
        try {
            doing.run();
            return null;
        } catch (Throwable error) {
            return error;
        }
    }

    static String name(Throwable error) {
        while (error instanceof ExecutionException || error instanceof CompletionException) {
            error = error.getCause();
        }
        return error == null ? "done" : error.getClass().getSimpleName();
    }

    static <K> Map<String, String> told(Map<K, ? extends KafkaFuture<?>> all) {
        Map<String, String> told = new TreeMap<>();
        all.forEach((key, future) -> told.put(key instanceof String ? key.toString() : key instanceof ConfigResource c
            ? c.name() : "it", name(attempt(future::get))));
        return told;
    }

    static String told(Collection<? extends KafkaFuture<?>> all) {
        return all.stream().map(future -> name(attempt(future::get))).toList().toString();
    }

    static String told(ListOffsetsResult result) {
        return name(attempt(() -> result.all().get()));
    }

    static String told(DescribeTransactionsResult result, String id) {
        return name(attempt(() -> result.description(id).get()));
    }

    static void untilTrue(Work<Boolean> work) throws Exception {
        long end = System.currentTimeMillis() + 60_000;
        Throwable last = null;
        while (System.currentTimeMillis() < end) {
            try {
                if (work.run()) {
                    return;
                }
                last = null;
            } catch (ExecutionException | org.apache.kafka.common.errors.RetriableException error) {
                last = error;
            }
            Thread.sleep(20);
        }
        throw new IllegalStateException("it did not come to that" + (last == null ? "" : ": " + last));
    }

    /** What the broker says once it says what is to come: it learns of changes by and by. */
    static <T> T await(Work<KafkaFuture<T>> ask, java.util.function.Predicate<T> good) throws Exception {
        var answer = new java.util.concurrent.atomic.AtomicReference<T>();
        untilTrue(() -> {
            answer.set(ask.run().get());
            return good.test(answer.get());
        });
        return answer.get();
    }

    static Map<String, TopicDescription> described(Admin admin, Collection<String> names) throws Exception {
        Map<String, TopicDescription> all = new TreeMap<>();
        untilTrue(() -> {
            all.putAll(admin.describeTopics(names).allTopicNames().get());
            return true;
        });
        return all;
    }

    static long offset(Admin admin, TopicPartition of, OffsetSpec which) throws Exception {
        return admin.listOffsets(Map.of(of, which)).partitionResult(of).get().offset();
    }

    static Map<Integer, Long> offsets(Admin admin) throws Exception {
        Map<Integer, Long> all = new TreeMap<>();
        admin.listConsumerGroupOffsets("workers").partitionsToOffsetAndMetadata().get()
            .forEach((partition, offset) -> all.put(partition.partition(), offset.offset()));
        return all;
    }

    static void make(String topic, int partitions, Map<String, String> configs) throws Exception {
        try (Admin admin = admin()) {
            admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all().get();
            untilTrue(() -> described(admin, List.of(topic)).get(topic).partitions().stream()
                .allMatch(p -> p.leader() != null && !p.leader().isEmpty()));
        }
    }

    static void write(String topic, int partition, int count) throws Exception {
        try (Producer<String, String> producer = producer(Map.of())) {
            for (int n = 0; n < count; n++) {
                producer.send(new ProducerRecord<>(topic, partition, "key", value(topic, partition * 100 + n))).get();
            }
        }
    }

    static String value(String topic, int number) {
        return mark + " " + topic + " " + number;
    }

    /** A record without the mark is somebody else's. */
    static String checked(String value) {
        if (!value.contains(mark)) {
            System.out.println("SOMEBODY ELSE'S RECORD: " + value);
            System.exit(3);
        }
        return value.replace(mark, "*");
    }

    static List<TopicPartition> partitions(String topic, int count) {
        return IntStream.range(0, count).mapToObj(n -> new TopicPartition(topic, n)).toList();
    }

    static Map<TopicPartition, OffsetAndMetadata> positions(Consumer<String, String> consumer) {
        return consumer.assignment().stream()
            .collect(Collectors.toMap(p -> p, p -> new OffsetAndMetadata(consumer.position(p))));
    }

    static List<ConsumerRecord<String, String>> read(Consumer<String, String> consumer, int count) throws Exception {
        List<ConsumerRecord<String, String>> read = new ArrayList<>();
        untilTrue(() -> {
            consumer.poll(Duration.ofMillis(200)).forEach(read::add);
            return read.size() >= count;
        });
        if (read.size() > count) {
            throw new IllegalStateException("more than " + count + " records: " + read.size());
        }
        return read;
    }

    static Map<String, Object> all(Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(common);
        settings.putAll(more);
        return settings;
    }

    static Admin admin() {
        return Admin.create(all(Map.of()));
    }

    static Producer<String, String> producer(Map<String, Object> more) {
        return new KafkaProducer<>(all(more), new StringSerializer(), new StringSerializer());
    }

    static Consumer<String, String> consumer(Map<String, Object> more) {
        Map<String, Object> settings = all(more);
        settings.putIfAbsent("auto.offset.reset", "earliest");
        settings.putIfAbsent("enable.auto.commit", "false");
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }
}
