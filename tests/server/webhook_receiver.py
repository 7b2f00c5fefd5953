"""An operator's service for webhooks_test.cpp: answers by path, and says on standard output what it
was sent, one JSON object a line. The first line is its port.

    webhook_receiver.py [certificate.pem key.pem]
"""

import http.server
import json
import ssl
import sys
import threading

failures = {"/flaky": 2}  # how many requests to a path get a 500 before it works
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with lock:
            fails = self.path == "/broken" or failures.get(self.path, 0) > 0
            if fails:
                failures[self.path] = failures.get(self.path, 0) - 1
            print(json.dumps({"path": self.path, "body": body, "type": self.headers["Content-Type"],
                              "signature": self.headers["Turnpike-Signature"]}), flush=True)
        if self.path == "/silent":
            self.rfile.read(1)  # until the client has had enough
            return
        answers = {
            "/allow": '{"allow":true,"name":"Mina","role":"owner","max":4,"iceTtl":60}',
            "/refuse": '{"allow":false}',
            "/garbage": "<html>",
            "/large": '{"allow":true,"name":"' + "x" * 100_000 + '"}',
        }
        answer = answers.get(self.path, "").encode()
        self.send_response(500 if fails else 302 if self.path == "/redirect" else 200)
        if self.path == "/redirect":
            self.send_header("Location", "/allow")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        try:
            self.wfile.write(answer)
        except OSError:
            pass  # it had enough of /large

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
server.handle_error = lambda *arguments: None  # clients that break off are what is tested
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
