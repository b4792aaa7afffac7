"""What an administrator asks for, with librdkafka; one line for each, `NAME` or `ERROR`:
    admin_librdkafka.py BOOTSTRAP ASKED [key=value...]
ASKED is a list in JSON: {"create": topic, "partitions": 1, "replicas": 1, "configs": {}}, {"delete": topic},
{"grow": topic, "to": 2} or {"set": topic, "configs": {}}. An error is Kafka's own name for it.
"""
import json
import sys

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic

bootstrap, asked, *more = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": bootstrap, **dict(pair.split("=", 1) for pair in more)})


def asks(one):
    if "create" in one:
        topic = NewTopic(
            one["create"], one.get("partitions", -1), one.get("replicas", -1), config=one.get("configs", {})
        )
        return admin.create_topics([topic], request_timeout=15)
    if "delete" in one:
        return admin.delete_topics([one["delete"]], request_timeout=15)
    if "grow" in one:
        return admin.create_partitions([NewPartitions(one["grow"], one["to"])], request_timeout=15)
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in one["configs"].items()
    ]
    resource = ConfigResource(ConfigResource.Type.TOPIC, one["set"], incremental_configs=entries)
    return admin.incremental_alter_configs([resource], request_timeout=15)


def told(one):
    (future,) = asks(one).values()
    try:
        future.result(20)
        return "done"
    except KafkaException as error:
        return error.args[0].name()


for one in json.loads(asked):
    answer = told(one)
    # Kafka's own client asks again by itself.
    print(told(one) if answer == "NOT_CONTROLLER" else answer)
