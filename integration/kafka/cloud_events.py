"""CloudEvents by the SDK of their project:
    cloud_events.py receive PORT              an app that answers with what it understood of each event
    cloud_events.py send PORT binary|structured TENANT REQUEST_ID ATTRIBUTES
                                              sends one to `orders` by the sidecar at PORT; ATTRIBUTES is JSON
Prints status and body of the answer, each in a line.
"""
import http.client
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cloudevents.core.bindings import http as binding
from cloudevents.core.v1.event import CloudEvent


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("content-type", "").startswith("application/cloudevents-batch"):
            told = {"events": json.loads(body)}
        else:
            try:
                event = binding.from_http_event(binding.HTTPMessage(headers, body))
                told = {"attributes": {key: str(value) for key, value in event.get_attributes().items()},
                        "data": event.get_data()}
            except Exception as error:
                told = {"error": repr(error)}
        told["principal"] = headers.get("x-partywall-principal")
        answer = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def send(port, mode, tenant, id, attributes):
    event = CloudEvent(json.loads(attributes), {"amount": 7})
    message = (binding.to_binary_event if mode == "binary" else binding.to_structured_event)(event)
    headers = {**message.headers, "Host": "orders", "x-partywall-act-for": tenant, "x-request-id": id}
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
    connection.request("POST", "/events", message.body, headers)
    answer = connection.getresponse()
    print(answer.status)
    print(answer.read().decode())


if sys.argv[1] == "receive":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), App).serve_forever()
else:
    send(*sys.argv[2:])
