"""A Python program that knows nothing of Tillwatch: it answers GET on its port from its main thread, and after
a while it hangs in the way that it was told. Only its first life does: the marker file says that it has.

    patient.py MODE AFTER_SECONDS PORT MARKER
"""

import ctypes
import http.server
import os
import signal
import subprocess
import sys
import threading
import time

mode, after, port, marker = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
first = not os.path.exists(marker)
fail_at = time.monotonic() + after
leaked = []


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"well\n")

    def log_message(self, *_):
        pass


def spin():
    while True:
        pass


def deadlock():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def read_fifo():
    fifo = marker + ".fifo"
    os.mkfifo(fifo)
    open(fifo, "rb").read()


def wait_for_child():
    subprocess.run(["sleep", "100000"], check=False)


def stop():
    os.kill(os.getpid(), signal.SIGSTOP)


def leak():
    # Not without end: should nobody stop it, the machine that runs the tests must live.
    while True:
        if len(leaked) < 150:
            leaked.append(b"x" * 8_000_000)
        server.handle_request()


def leak_descriptors():
    while True:
        if len(leaked) < 3_000:
            leaked.append(os.open("/dev/null", os.O_RDONLY))
        if len(leaked) % 5 == 0:
            server.handle_request()


def computation():
    # Four seconds of the main thread, and then all is well.
    until = time.monotonic() + 4
    while time.monotonic() < until:
        pass


def crash_loop():
    sys.exit(1)


def zombie():
    # A thread lives on after the main one has ended: the process is a zombie that still holds its port.
    threading.Thread(target=time.sleep, args=(100_000,)).start()
    ctypes.CDLL(None).pthread_exit(None)


def ignore_term():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


modes = {
    "spin": spin,
    "deadlock": deadlock,
    "read-fifo": read_fifo,
    "wait-for-child": wait_for_child,
    "stop": stop,
    "leak": leak,
    "leak-descriptors": leak_descriptors,
    "computation": computation,
    "crash-loop": crash_loop,
    "zombie": zombie,
    "ignore-term": ignore_term,
    "well": lambda: None,
}

server = http.server.HTTPServer(("127.0.0.1", port), Answer)
server.timeout = 0.1
if mode == "ignore-term":
    ignore_term()
failed = False
while True:
    server.handle_request()
    # A crash loop goes on in every life that follows; everything else befalls the first one only.
    if not failed and mode == "crash-loop" and not first:
        crash_loop()
    if not failed and first and time.monotonic() >= fail_at:
        failed = True
        open(marker, "w").close()
        print("failing:", mode, flush=True)
        modes[mode]()
