#!/usr/bin/env python3
"""Stands in for the commands of sipup: each service only says that it is ready."""

import http.server
import os
import signal
import sys


class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *args):
        pass


def main():
    command = sys.argv[1]
    if command != "serve":
        with open(COMMANDS, "a") as log:
            log.write(command + "\n")
        if command in ("migrate", "seed") and "SIPUP_DATABASE_URL" not in os.environ:
            sys.exit("no database")
        return
    wanted = ["SIPUP_REDIS_NODES"]
    if sys.argv[2] == "ratelimit":
        wanted += ["SIPUP_RATELIMIT_RULES"]
    else:
        wanted += ["SIPUP_DATABASE_URL", "SIPUP_DATABASE_PASSWORD"]
    if sys.argv[2] in ("catalog", "orders", "jobs"):
        wanted += ["SIPUP_PAGE_TOKEN_KEY"]
    for name in wanted:
        if not os.environ.get(name):
            sys.exit(f"{name} is missing")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    host, port = os.environ["SIPUP_ADMIN_LISTEN"].split(":")
    http.server.ThreadingHTTPServer((host, int(port)), Ready).serve_forever()


main()
