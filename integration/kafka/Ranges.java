/*
 * What a tenant does with a topic of which it may have some partitions alone, with Kafka's own client:
 *
 *     java Ranges.java PART,PART... BOOTSTRAP TOPIC PARTITIONS MARK [key=value...]
 *
 * It prints what came of it, line by line, with nothing in it that differs from one run to the next: who has a topic of so
 * many partitions at a bare broker is told the same. Every record that is written begins with MARK, and one that is read
 * without it ends the program. Settings of clients may follow.
 */
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.*;

public class Ranges {
    static final Map<String, Object> common = new HashMap<>();
    static String topic, mark;
    static int count;

    public static void main(String[] arguments) throws Exception {
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "error");
        common.put("bootstrap.servers", arguments[1]);
        topic = arguments[2];
        count = Integer.parseInt(arguments[3]);
        mark = arguments[4];
        for (int at = 5; at < arguments.length; at++) {
            String[] pair = arguments[at].split("=", 2);
            common.put(pair[0], pair[1]);
        }
        for (String part : arguments[0].split(",")) {
            switch (part) {
                case "records" -> records();
                case "offsets" -> offsets();
                case "group" -> group();
                case "beyond" -> beyond();
                case "newer" -> newer();
                default -> throw new IllegalArgumentException(part);
            }
        }
        System.exit(0);
    }

    // By key, without one, and by number: where the client's own partitioner puts them.
    static void records() throws Exception {
        try (Admin admin = Admin.create(common)) {
            TopicDescription described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
            say("partitions", described.partitions().stream().map(TopicPartitionInfo::partition).toList());
            say("topics", admin.listTopics().names().get());
        }
        try (Producer<String, String> producer = producer(Map.of())) {
            say("to the producer", producer.partitionsFor(topic).stream().map(PartitionInfo::partition).sorted().toList());
            Map<Integer, Integer> keyed = new TreeMap<>();
            boolean asHashed = true;
            for (int n = 0; n < 60; n++) {
                String key = "key-" + n;
                int at = producer.send(new ProducerRecord<>(topic, key, mark + " keyed " + n)).get().partition();
                asHashed &= at == BuiltInPartitioner.partitionForKey(key.getBytes(), count);
                keyed.merge(at, 1, Integer::sum);
            }
            say("by key", keyed + " " + asHashed);
            Set<Integer> used = new TreeSet<>();
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int n = 0; n < 60; n++) {
                sent.add(producer.send(new ProducerRecord<>(topic, mark + " without " + n)));
            }
            producer.flush();
            for (Future<RecordMetadata> one : sent) {
                used.add(one.get().partition());
            }
            say("without a key", partitions().stream().map(TopicPartition::partition).collect(Collectors.toSet())
                .containsAll(used));
            for (TopicPartition partition : partitions()) {
                producer.send(new ProducerRecord<>(topic, partition.partition(), null, mark + " by number")).get();
            }
        }
    }

    // What begins and ends where.
    static void offsets() throws Exception {
        try (Admin admin = Admin.create(common); Consumer<String, String> consumer = consumer(Map.of())) {
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions());
            say("records", ends.values().stream().mapToLong(n -> n).sum());
            say("begin", new TreeSet<>(consumer.beginningOffsets(partitions()).values()));
            Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
            partitions().forEach(partition -> latest.put(partition, OffsetSpec.latest()));
            boolean same = admin.listOffsets(latest).all().get().entrySet().stream()
                .allMatch(entry -> ends.get(entry.getKey()) == entry.getValue().offset());
            say("the same to administrators", same);
            Map<TopicPartition, Long> times = new HashMap<>();
            partitions().forEach(partition -> times.put(partition, 0L));
            say("by time", consumer.offsetsForTimes(times).values().stream().map(OffsetAndTimestamp::offset).distinct()
                .toList());
        }
    }

    // Two members of a classic group share the partitions; each record comes once.
    static void group() throws Exception {
        Map<String, Object> settings = Map.of("group.id", "readers", "group.protocol", "classic");
        try (Admin admin = Admin.create(common); Consumer<String, String> first = consumer(settings);
             Consumer<String, String> second = consumer(settings)) {
            List<Consumer<String, String>> both = List.of(first, second);
            both.forEach(one -> one.subscribe(List.of(topic)));
            int wanted = 120 + count;
            Map<TopicPartition, Long> ends = first.endOffsets(partitions());
            Set<String> places = new HashSet<>();
            until(() -> {
                for (Consumer<String, String> one : both) {
                    one.poll(Duration.ofMillis(100)).forEach(record -> {
                        if (!record.value().startsWith(mark + " ")) {
                            System.out.println("SOMEBODY ELSE'S RECORD: " + record.value());
                            System.exit(3);
                        }
                        places.add(record.partition() + " " + record.offset());
                    });
                }
                // Who got a partition of the other's reads it again, since nothing was committed.
                return places.size() >= wanted && both.stream().allMatch(one -> one.assignment().size() == count / 2
                    && one.assignment().stream().allMatch(p -> one.position(p) == ends.get(p)));
            });
            say("read", places.size());
            say("shared", both.stream().flatMap(one -> one.assignment().stream()).map(TopicPartition::partition).sorted()
                .toList());
            both.forEach(Consumer::commitSync);
            Map<TopicPartition, OffsetAndMetadata> committed = admin.listConsumerGroupOffsets("readers")
                .partitionsToOffsetAndMetadata().get();
            say("committed", new TreeSet<>(committed.keySet().stream().map(TopicPartition::partition).toList()) + " "
                + committed.entrySet().stream().allMatch(e -> ends.get(e.getKey()) == e.getValue().offset()));
            ConsumerGroupDescription group = admin.describeConsumerGroups(List.of("readers")).all().get().get("readers");
            say("members", group.members().size() + " " + group.groupState() + " " + group.members().stream()
                .flatMap(member -> member.assignment().topicPartitions().stream()).map(Object::toString).sorted().toList());
            say("groups", admin.listGroups(ListGroupsOptions.forConsumerGroups()).all().get().stream()
                .map(GroupListing::groupId).toList());
        }
    }

    // The partition behind the last one of its own.
    static void beyond() throws Exception {
        try (Producer<String, String> producer = producer(Map.of("max.block.ms", "2000"))) {
            say("written beyond", name(() -> producer.send(new ProducerRecord<>(topic, count, null, mark)).get()));
        }
    }

    // What a client is told whose group is of the newer protocol.
    static void newer() throws Exception {
        try (Consumer<String, String> consumer = consumer(Map.of("group.id", "newer", "group.protocol", "consumer"))) {
            consumer.subscribe(List.of(topic));
            String told = name(() -> {
                long end = System.currentTimeMillis() + 20_000;
                while (System.currentTimeMillis() < end) {
                    consumer.poll(Duration.ofMillis(200));
                }
                return null;
            });
            say("the newer protocol", told);
        }
    }

    static String name(Callable<?> work) {
        try {
            work.call();
            return "done";
        } catch (ExecutionException error) {
            return error.getCause().getClass().getSimpleName();
        } catch (Exception error) {
            return error.getClass().getSimpleName();
        }
    }

    static void until(Callable<Boolean> work) throws Exception {
        long end = System.currentTimeMillis() + 60_000;
        while (!work.call()) {
            if (System.currentTimeMillis() > end) {
                throw new IllegalStateException("it did not come to that");
            }
        }
    }

    static List<TopicPartition> partitions() {
        return IntStream.range(0, count).mapToObj(n -> new TopicPartition(topic, n)).toList();
    }

    static Map<String, Object> all(Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(common);
        settings.putAll(more);
        return settings;
    }

    static Producer<String, String> producer(Map<String, Object> more) {
        return new KafkaProducer<>(all(more), new StringSerializer(), new StringSerializer());
    }

    static Consumer<String, String> consumer(Map<String, Object> more) {
        Map<String, Object> settings = all(more);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    static void say(String what, Object told) {
        System.out.println(what + ": " + told);
    }
}
