"""What Ranges.java does, with librdkafka, and a group of its own:
    ranges_librdkafka.py BOOTSTRAP TOPIC PARTITIONS MARK [key=value...]
"""
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

bootstrap, topic, count, mark, *more = sys.argv[1:]
count, common = int(count), {"bootstrap.servers": bootstrap, **dict(pair.split("=", 1) for pair in more)}
READ = {"auto.offset.reset": "earliest", "enable.auto.commit": False}


def say(what, told):
    print(f"{what}: {told}")


def told_partitions(listed):
    return sorted(listed.topics[topic].partitions)


def records():
    admin = AdminClient(common)
    listed = admin.list_topics(timeout=20)
    say("topics", sorted(name for name in listed.topics if not name.startswith("__")))
    say("partitions", told_partitions(listed))
    for partitioner in ["murmur2_random", "consistent_random"]:
        producer, used, failed = Producer({**common, "partitioner": partitioner}), {}, []

        def done(error, message):
            if error:
                failed.append(error.name())
            elif message.key():
                used[message.partition()] = used.get(message.partition(), 0) + 1

        for n in range(40):
            producer.produce(topic, f"{mark} {partitioner} {n}", key=f"key-{n}", on_delivery=done)
            producer.produce(topic, f"{mark} without a key {n}", on_delivery=done)
        left = producer.flush(30)
        say(partitioner, f"{dict(sorted(used.items()))} {sorted(set(failed))} {left}")
    beyond = []
    producer = Producer({**common, "message.timeout.ms": 5000})
    try:
        producer.produce(topic, mark, partition=count, on_delivery=lambda error, _: beyond.append(error and error.name()))
        producer.flush(20)
    except KafkaException as error:
        beyond.append(error.args[0].name())
    say("written beyond", beyond)


def group():
    consumer = Consumer({**common, **READ, "group.id": "readers-too"})
    marks = [consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=20) for n in range(count)]
    try:
        told = str(consumer.get_watermark_offsets(TopicPartition(topic, count), timeout=5))
    except KafkaException as error:
        told = error.args[0].name()
    say("ends beyond", told)
    say("begin", {low for low, _ in marks})
    wanted, read, end = sum(high for _, high in marks), set(), time.time() + 60
    consumer.subscribe([topic])
    while len(read) < wanted and time.time() < end:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error():
            sys.exit(message.error().name())
        if not message.value().decode().startswith(f"{mark} "):
            sys.exit(f"SOMEBODY ELSE'S RECORD: {message.value()}")
        read.add((message.partition(), message.offset()))
    say("read", f"all of {wanted}: {len(read) == wanted}")
    say("assigned", sorted(place.partition for place in consumer.assignment()))
    consumer.commit(asynchronous=False)
    committed = consumer.committed([TopicPartition(topic, n) for n in range(count)], timeout=20)
    say("committed", [place.offset == high for place, (_, high) in zip(committed, marks)])
    admin = AdminClient(common)
    described = admin.describe_consumer_groups(["readers-too"])["readers-too"].result(20)
    held = [place for member in described.members for place in member.assignment.topic_partitions]
    say("described", sorted(f"{place.topic} {place.partition}" for place in held))
    consumer.close()


def newer():
    """A group of the newer protocol where it is not offered: librdkafka asks again for ever and gets no partition."""
    consumer = Consumer({**common, "auto.offset.reset": "earliest", "group.id": "newer", "group.protocol": "consumer"})
    consumer.subscribe([topic])
    end, came = time.time() + 5, 0
    while time.time() < end and not came:
        message = consumer.poll(0.5)
        came += message is not None and not message.error()
    say("the newer protocol", f"{came} records, {len(consumer.assignment())} partitions")


records()
group()
newer()
