#!/usr/bin/env python3
"""Bytes that a stranger may send, and what must come back."""

import json
import sys

sys.dont_write_bytecode = True
from harness import Daemon, at_end, equal, run, test, true  # noqa: E402

PING = '{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {}}'


def answers(daemon, sent):
    """Everything that comes back when `sent` is all that is said."""
    with daemon.wire() as wire:
        try:
            wire.send(sent)
            wire.half_close()
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused while we were still speaking
        return wire.rest()


def error_types(replies):
    return [r["error"]["data"]["type"] for r in replies]


@test
def given_one_line_of_json_as_netcat_sends_it_then_the_job_runs_and_its_result_comes_back():
    daemon = Daemon()
    replies = answers(daemon, '{"jsonrpc":"2.0","id":1,"method":"job.run","params":'
                              '{"spec":{"sleep":0.002,"result":"Get to the past"}}}\n')
    equal(len(replies), 1, "replies")
    equal(replies[0]["result"]["status"], "completed")
    equal(replies[0]["result"]["result"], "Get to the past")


@test
def given_an_http_request_with_a_job_in_its_body_then_nothing_runs_and_no_word_is_said():
    daemon = Daemon()
    body = '{"jsonrpc":"2.0","id":1,"method":"job.submit","params":{"spec":{"value":1}}}\n'
    for start in ("POST / HTTP/1.1", "GET / HTTP/1.0", "OPTIONS * HTTP/1.1"):
        equal(answers(daemon, f"{start}\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}"),
              [])
    with daemon.wire() as wire:
        equal(wire.call("job.list")["jobs"], [])


@test
def given_a_first_byte_that_begins_no_message_then_the_connection_ends_without_a_word():
    daemon = Daemon()
    for first in (b'"', b"1", b"n", b"\0", b"\xef\xbb\xbf", b"\x16\x03\x01", b"}", b"]", b","):
        equal(answers(daemon, first + PING.encode() + b"\n"), [], f"after {first!r}")


@test
def given_white_space_first_then_the_message_behind_it_is_answered():
    daemon = Daemon()
    replies = answers(daemon, " \r\n\t\n" + PING)
    equal([r["id"] for r in replies], [1])


@test
def given_each_way_to_separate_messages_then_all_are_answered():
    daemon = Daemon()
    pretty = json.dumps(json.loads(PING), indent=4)
    for text in (PING + "\n" + PING + "\n", PING + "\r\n" + PING + "\r\n", PING + PING,
                 pretty + pretty, pretty + "\n\n\n" + PING):
        equal(len(answers(daemon, text)), 2, f"replies to {text!r}")


@test
def given_a_message_cut_at_each_byte_then_it_is_the_same_message():
    daemon = Daemon()
    line = '{"jsonrpc":"2.0","id":"a\\"}{","method":"ping","params":{}}\n'.encode()
    for cut in range(1, len(line)):
        with daemon.wire() as wire:
            wire.send(line[:cut])
            wire.send(line[cut:])
            equal(wire.message()["id"], 'a"}{', f"cut at {cut}")


@test
def given_a_message_in_single_bytes_then_it_is_the_same_message():
    daemon = Daemon()
    with daemon.wire() as wire:
        for byte in PING.encode():
            wire.send(bytes([byte]))
        equal(wire.message()["id"], 1)


@test
def given_a_damaged_line_then_the_next_one_is_answered():
    daemon = Daemon()
    replies = answers(daemon, PING + '\n{"jsonrpc": nonsense}\n' + PING + "\n")
    equal(len(replies), 3, "replies")
    damaged = [r for r in replies if "error" in r]
    equal(error_types(damaged), ["ParseError"])
    equal((damaged[0]["error"]["code"], damaged[0]["id"]), (-32700, None))


@test
def given_a_key_twice_then_the_message_does_not_parse():
    daemon = Daemon()
    replies = answers(daemon, PING + '\n{"jsonrpc":"2.0","id":2,"method":"ping","method":"ping"}\n'
                      + PING + "\n")
    equal(error_types([r for r in replies if "error" in r]), ["ParseError"])
    equal(len(replies), 3)


@test
def given_damage_as_the_first_message_then_the_connection_ends_after_the_answer():
    daemon = Daemon()
    replies = answers(daemon, '{"jsonrpc": nonsense}\n' + PING + "\n")
    equal(error_types(replies), ["ParseError"])


@test
def given_a_message_that_is_too_long_then_nothing_behind_it_is_looked_at():
    daemon = Daemon()
    long = '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"' + "a" * (1 << 20) + '"}}\n'
    replies = answers(daemon, long + PING + "\n")
    true(len(replies) <= 1, f"replies: {replies}")
    for reply in replies:  # a reset may have taken the answer
        equal((reply["error"]["data"]["type"], reply["id"]), ("LimitExceeded", None))


@test
def given_a_message_that_is_too_deep_or_has_too_many_values_then_the_limit_is_named():
    daemon = Daemon()
    deep = '{"jsonrpc":"2.0","id":1,"method":"ping","params":' + "[" * 64 + "]" * 64 + "}\n"
    many = '{"jsonrpc":"2.0","id":1,"method":"ping","params":[' + "1," * 20000 + "1]}\n"
    for text in (deep, many):
        replies = answers(daemon, text)
        true(len(replies) <= 1, "one answer at most")
        for reply in replies:
            equal((reply["error"]["data"]["type"], reply["id"]), ("LimitExceeded", None))


@test
def given_a_spec_of_the_greatest_depth_then_it_fits_through_the_wire():
    daemon = Daemon()
    spec = {"value": 1}
    for _ in range(28):
        spec = {"do": [spec]}
    with daemon.wire() as wire:
        equal(wire.call("job.run", spec=spec)["result"], 1)


@test
def given_envelopes_that_are_wrong_then_each_has_its_answer():
    daemon = Daemon()
    for text, code, id_ in (
            ('{"jsonrpc":"1.0","id":5,"method":"ping"}', -32600, 5),
            ('{"jsonrpc":"2.0","id":5}', -32600, 5),
            ('{"jsonrpc":"2.0","id":5,"method":7}', -32600, 5),
            ('{"jsonrpc":"2.0","id":[5],"method":"ping"}', -32600, None),
            ('{"jsonrpc":"2.0","id":5,"method":"no.such"}', -32601, 5),
            ('{"jsonrpc":"2.0","id":"x","method":"ping","params":{"y":1}}', -32602, "x"),
            ("[]", -32600, None)):
        replies = answers(daemon, text + "\n")
        equal(len(replies), 1, f"replies to {text}")
        equal((replies[0]["error"]["code"], replies[0]["id"]), (code, id_), text)


@test
def given_an_id_of_each_kind_then_it_comes_back_as_it_was():
    daemon = Daemon()
    for id_ in ("1", '"text"', "null", "9007199254740993", "-1", '"\\u00e4\\n"'):
        replies = answers(daemon, '{"jsonrpc":"2.0","id":' + id_ + ',"method":"ping"}\n')
        equal(replies[0]["id"], json.loads(id_))


@test
def given_a_notification_then_there_is_no_reply():
    daemon = Daemon()
    replies = answers(daemon, '{"jsonrpc":"2.0","method":"ping"}\n'
                              '{"jsonrpc":"2.0","method":"no.such"}\n' + PING + "\n")
    equal([r["id"] for r in replies], [1])


@test
def given_a_batch_then_its_replies_come_as_one_list():
    daemon = Daemon()
    batch = [{"jsonrpc": "2.0", "id": "a", "method": "ping"},
             {"jsonrpc": "2.0", "method": "ping"},
             {"jsonrpc": "2.0", "id": "b", "method": "job.run",
              "params": {"spec": {"sleep": 0.005, "result": 7}}},
             7,
             {"jsonrpc": "2.0", "id": "c", "method": "no.such"}]
    replies = answers(daemon, json.dumps(batch) + "\n")
    equal(len(replies), 1, "lines")
    by_id = {r["id"]: r for r in replies[0]}
    equal(set(by_id), {"a", "b", "c", None})
    equal(by_id["b"]["result"]["result"], 7)
    equal(by_id["c"]["error"]["code"], -32601)
    equal(by_id[None]["error"]["code"], -32600)


@test
def given_a_batch_of_notifications_then_nothing_comes_back():
    daemon = Daemon()
    equal(answers(daemon, '[{"jsonrpc":"2.0","method":"ping"}]\n'), [])


@test
def given_a_batch_of_more_than_a_hundred_then_none_of_it_runs():
    daemon = Daemon()
    batch = [{"jsonrpc": "2.0", "id": i, "method": "job.submit",
              "params": {"spec": {"value": 1}}} for i in range(101)]
    replies = answers(daemon, json.dumps(batch) + "\n")
    equal(error_types(replies), ["LimitExceeded"])
    with daemon.wire() as wire:
        equal(wire.call("job.list")["jobs"], [])


@test
def given_a_thousand_requests_at_once_and_a_half_close_then_every_reply_comes():
    daemon = Daemon()
    text = "".join(json.dumps({"jsonrpc": "2.0", "id": i, "method": "job.run", "params":
                               {"spec": {"sleep": 0.001, "result": i}}}) + "\n"
                   for i in range(1000))
    replies = answers(daemon, text)
    equal({r["id"]: r["result"]["result"] for r in replies}, {i: i for i in range(1000)})


@test
def given_quick_and_slow_requests_then_the_quick_reply_does_not_wait():
    daemon = Daemon()
    with daemon.wire() as wire:
        slow = wire.request("job.run", spec={"sleep": 3600})
        quick = wire.request("job.run", spec={"sleep": 0.001})
        equal(wire.message()["id"], quick)
        job = wire.call("job.list", status=["running"])["jobs"][0]["id"]
        wire.call("job.cancel", id=job)
        equal(wire.reply(slow)["result"]["status"], "cancelled")


@test
def given_noise_on_many_connections_then_the_daemon_stays_well():
    daemon = Daemon()
    seed = 1
    for _ in range(60):
        noise = bytearray(b"{")
        for _ in range(200):
            seed = (seed * 1103515245 + 12345) % (1 << 31)
            noise.append(b'{}[]",:\\ntfu01e-. \n\r\t'[(seed >> 8) % 21] if seed & 64
                         else (seed >> 9) & 255)
        wire = daemon.wire()
        at_end(wire.close)
        try:
            wire.send(bytes(noise))
            wire.half_close()
        except (BrokenPipeError, ConnectionResetError):
            pass
    with daemon.wire() as wire:
        wire.call("ping")
    equal(daemon.stop(), 0, "exit code")


if __name__ == "__main__":
    run()
