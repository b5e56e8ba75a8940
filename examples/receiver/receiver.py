"""Receive Leadpact's webhooks: take only what is signed and recent, and act once on each ``webhook-id``.

Run it with the endpoint's secret: ``LEADPACT_WEBHOOK_SECRET=whsec_... python receiver.py [port]``
"""

import base64
import hmac
import json
import os
import sys
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["LEADPACT_WEBHOOK_SECRET"].removeprefix("whsec_"))
seen: set[str] = set()  # yours would be a table: the same event may come again, days later


def is_genuine(headers: Message, body: bytes) -> bool:
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signed = f"{message_id}.{timestamp}.".encode() + body
    ours = b"v1," + base64.b64encode(hmac.digest(KEY, signed, "sha256"))
    theirs = headers.get("webhook-signature", "").split(" ")
    is_recent = timestamp.isdecimal() and abs(time.time() - int(timestamp)) < 300
    return is_recent and any(hmac.compare_digest(ours, signature.encode()) for signature in theirs)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        genuine = is_genuine(self.headers, body)
        if genuine and self.headers["webhook-id"] not in seen:
            event = json.loads(body)
            self.log_message("%s -> %s", event["type"], event["data"].get("rep_name"))  # your CRM's turn
            seen.add(self.headers["webhook-id"])
        self.send_response(204 if genuine else 401)  # 2xx says "I have it": store first, then say so
        self.end_headers()


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8099
    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    sys.stderr.write(f"listening on http://127.0.0.1:{server.server_port}/\n")
    server.serve_forever()
