"""Replicas side by side: which one is different?"""
from .panels import (COMPUTING, FAULTS, INSTANCE, MODEL, NAMED, OURS, dashboard, lines, number, quantile, rate, row, steps, table)
from .serving import SATURATION

NOTHING = "nothing is scraped"
NO_CALLS = "no calls"
NAME = "{{instance}}"

CALLS = f"sum by (instance) ({rate('kwta_requests_total', MODEL)})"
ROWS = f"sum by (instance) ({rate('kwta_rows_encoded_total', MODEL)})"
ERRORS = (f"(sum by (instance) ({rate('kwta_requests_total', MODEL + ', ' + FAULTS)}) or 0 * {CALLS}) / ({CALLS} > 0)")
P99 = quantile(0.99, "kwta_request_seconds", f"{INSTANCE}, {COMPUTING}", "instance")
CPU = f"sum by (instance) ({rate('process_cpu_seconds_total', INSTANCE)} {OURS})"
MEMORY = f"sum by (instance) (process_resident_memory_bytes{{{INSTANCE}}} {OURS})"
UPTIME = f"time() - max by (instance) (process_start_time_seconds{{{INSTANCE}}} {OURS})"
DISK = f"max by (instance) (kwta_state_disk_free_bytes{{{INSTANCE}}} / (kwta_state_disk_size_bytes{{{INSTANCE}}} > 0))"
EXPIRY = f"max by (instance) (kwta_tls_certificate_expiry_seconds{{{INSTANCE}}} > 0) - time()"
WORST = "max by (instance) (" + " or ".join(
    f'label_replace({query}, "limit", "{limit}", "", "")' for query, limit, _ in SATURATION) + ")"


def overview():
    return row("Replicas", [
        table("Replicas", "One row a replica. The address leads to its status page.",
              [("Ready", f"max by (instance, version, backend, instruction_set) (kwta_build_info{{{INSTANCE}}}) "
                         f"* on (instance) group_left () max by (instance) (kwta_ready{{{INSTANCE}}})", "bool_yes_no"),
               ("Rows/s", ROWS, "rowsps"), ("Calls/s", CALLS, "reqps"), ("Errors", ERRORS, "percentunit"), ("p99", f"{P99} >= 0", "s"),
               ("Saturation", WORST, "percentunit"), ("Processors", CPU, "none"), ("Memory", MEMORY, "bytes"), ("Up", UPTIME, "s"),
               ("Disk free", DISK, "percentunit")],
              {"instance": "Instance", "version": "Version", "backend": "Backend", "instruction_set": "Instructions"}, NOTHING, height=5,
              links=("Instance", "http://${__value.raw}/", "Status page")),
        number("Replicas ready", "Replicas that take requests, and all that are scraped.", "none",
               [(f"sum(kwta_ready{{{INSTANCE}}})", "ready"), (f"count(kwta_build_info{{{INSTANCE}}})", "scraped")], NOTHING, width=6,
               graph=False),
        number("Throughput", "Rows encoded a second by all replicas.", "rowsps", [(f"sum({rate('kwta_rows_encoded_total', MODEL)})", "rows")],
               NO_CALLS, width=6),
        number("Unlike versions", "Models of which replicas serve different versions. During a roll-out there are some.", "none",
               [(f"count(max by (model) (kwta_model_version{{{MODEL}}}) != min by (model) (kwta_model_version{{{MODEL}}})) or vector(0)",
                 "models")], NOTHING, width=6, thresholds=steps((None, "green"), (1, "yellow"))),
        number("Imbalance", "Calls of the busiest replica over the mean: 1 is even.", "none",
               [(f"max({CALLS}) / (avg({CALLS}) > 0)", "imbalance")], NO_CALLS, width=6, decimals=2,
               thresholds=steps((None, "green"), (1.5, "yellow"))),
    ])


def load():
    return row("Load", [
        lines("Rows", "Rows encoded a second.", "rowsps", [(ROWS, NAME)], NOTHING, by_instance=True),
        lines("Calls", "Calls answered a second.", "reqps", [(CALLS, NAME)], NOTHING, by_instance=True),
        lines("Errors", "Part of the calls that ended in an error of the server.", "percentunit", [(ERRORS, NAME)], NO_CALLS,
              by_instance=True),
        lines("p99 latency", "Of calls that compute.", "s", [(P99, NAME)], NO_CALLS, logarithmic=True, by_instance=True),
        lines("Saturation", "The limit of the replica that is nearest to used up.", "percentunit", [(WORST, NAME)], NOTHING, high=1,
              thresholds=steps((None, "green"), (0.8, "red")), by_instance=True),
        lines("Rows that wait", "Rows in the queue.", "short", [(f"sum by (instance) (kwta_queue_rows{{{INSTANCE}}})", NAME)], NOTHING,
              by_instance=True),
    ])


def models():
    return row("Models", [
        lines("Version that serves", "What label stable means on each replica. Lines of a model lie on each other but while it swaps.",
              "none", [(f"max by (instance, model) (kwta_model_version{{{NAMED}}})", "{{model}} on {{instance}}")], "no model yet", width=12,
              steps_between=True, by_instance=True),
        lines("Memory of models", "Bytes of parameters.", "bytes", [(f"sum by (instance) (kwta_model_memory_bytes{{{MODEL}}})", NAME)],
              NOTHING, width=6, by_instance=True),
        lines("Running jobs", "Training jobs that run on the replica.", "none",
              [(f'sum by (instance) (kwta_jobs{{{INSTANCE}, state="running"}})', NAME)], NOTHING, width=6, by_instance=True),
    ])


def processes():
    return row("Processes", [
        lines("Processors", "Processors that the process keeps busy.", "short", [(CPU, NAME)], NOTHING, width=6, by_instance=True),
        lines("Memory", "Resident memory.", "bytes", [(MEMORY, NAME)], NOTHING, width=6, by_instance=True),
        lines("Threads", "Threads of the process.", "short", [(f"process_threads{{{INSTANCE}}} {OURS}", NAME)], NOTHING, width=6,
              by_instance=True),
        lines("Descriptors", "Part of the file descriptors that are open.", "percentunit",
              [(f"process_open_fds{{{INSTANCE}}} / process_max_fds{{{INSTANCE}}} {OURS}", NAME)], NOTHING, width=6, by_instance=True),
        lines("Connections", "Open connections of both ports.", "short",
              [(f"sum by (instance) (kwta_connections_open{{{INSTANCE}}})", NAME)], NOTHING, width=6, by_instance=True),
        lines("Free disk", "Part of the state directory's disk that is free.", "percentunit", [(DISK, NAME)], NOTHING, width=6, high=1,
              by_instance=True),
        lines("Certificate", "Time until the server's certificate expires.", "s", [(EXPIRY, NAME)], "no replica has TLS", width=6, low=None,
              by_instance=True),
        lines("Certificate files refused", "1 while the server cannot take the new files of its certificate.", "none",
              [(f"max by (instance) (kwta_tls_files_refused{{{INSTANCE}}})", NAME)], NOTHING, width=6, by_instance=True,
              steps_between=True),
    ])


def build():
    return dashboard("kwta-fleet", "kwta / Fleet", __doc__, [overview(), load(), models(), processes()])
