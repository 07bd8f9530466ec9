"""Is the service well, how much does it do, and what holds it up?"""
from .panels import (COMPUTING, FAULTS, INSTANCE, MODEL, NAMED, OURS, dashboard, gauge, heat_map, lines, mean, number, quantile, rate,
                     row, steps, table)

NO_CALLS = "no calls"
NO_MODEL = "no model yet"
NOT_OK = MODEL + ', code!~"OK|"'  # A family without series has one without a code.

# What a connection is ended for at once, and the other reasons.
OFFENCE = "rapid_resets|abandoned_calls|streams|headers|control_frames|held_bytes"
OFFENCES, NO_OFFENCES = f'reason=~"{OFFENCE}"', f'reason!~"{OFFENCE}"'

# Of each limit the part that is used.
SATURATION = [
    (f"kwta_requests_in_flight{{{INSTANCE}}} / kwta_requests_in_flight_limit{{{INSTANCE}}}", "calls", "{{instance}} calls"),
    (f"kwta_queue_rows{{{INSTANCE}}} / kwta_queue_rows_limit{{{INSTANCE}}}", "rows", "{{instance}} queued rows"),
    (f"kwta_queue_bytes{{{INSTANCE}}} / kwta_queue_bytes_limit{{{INSTANCE}}}", "bytes", "{{instance}} queued bytes"),
    (f"kwta_connections_held_bytes{{{INSTANCE}}} / kwta_connections_held_bytes_limit{{{INSTANCE}}}", "held",
     "{{instance}} bytes held by {{port}}"),
]
WORST_SATURATION = "max(" + " or ".join(
    f'label_replace({query}, "limit", "{limit}", "", "")' for query, limit, _ in SATURATION) + ")"
ERROR_RATIO = (f"(sum({rate('kwta_requests_total', MODEL + ', ' + FAULTS)}) or vector(0)) / "
               f"(sum({rate('kwta_requests_total', MODEL)}) > 0)")
USED = steps((None, "green"), (0.6, "yellow"), (0.8, "red"))


def now():
    return row("Now", [
        number("Throughput", "Rows encoded a second, of the chosen models.", "rowsps",
               [(f"sum({rate('kwta_rows_encoded_total', MODEL)})", "rows")], NO_MODEL),
        number("Calls", "Calls answered a second; a request of a stream is a call.", "reqps",
               [(f"sum({rate('kwta_requests_total', MODEL)})", "calls")], NO_CALLS),
        number("Errors", "Part of the calls that ended in an error of the server: what the alerts' error budget counts.", "percentunit",
               [(ERROR_RATIO, "errors")], NO_CALLS, thresholds=steps((None, "green"), (0.001, "yellow"), (0.01, "red"))),
        number("p99 latency", "Ninety-nine of a hundred calls that compute are answered within this time.", "s",
               [(quantile(0.99, "kwta_request_seconds", f"{INSTANCE}, {COMPUTING}") + " >= 0", "p99")], NO_CALLS,
               thresholds=steps((None, "green"), (0.1, "yellow"), (0.25, "red"))),
        gauge("Saturation", "The limit that is nearest to used up: calls in flight, rows or bytes that wait, bytes of requests that are not whole.",
              [(WORST_SATURATION, "used")], "nothing is scraped", thresholds=USED),
        number("Replicas ready", "Replicas that take requests, and all that are scraped.", "none",
               [(f"sum(kwta_ready{{{INSTANCE}}})", "ready"), (f"count(kwta_build_info{{{INSTANCE}}})", "scraped")],
               "nothing is scraped", graph=False),
    ])


def traffic():
    return row("Traffic", [
        lines("Rows encoded", "Throughput by model and version.", "rowsps",
              [(f"sum by (model, version) ({rate('kwta_rows_encoded_total', NAMED)})", "{{model}}:{{version}}")], NO_MODEL,
              width=12, stacked=True),
        lines("Calls by method", "Calls answered a second.", "reqps",
              [(f"sum by (method) ({rate('kwta_requests_total', MODEL)}) > 0", "{{method}}")], NO_CALLS, width=12, stacked=True),
        lines("Calls by code, without OK", "Which errors callers get. RESOURCE_EXHAUSTED and NOT_FOUND are mostly theirs.", "reqps",
              [(f"sum by (code) ({rate('kwta_requests_total', NOT_OK)}) > 0", "{{code}}")],
              "no errors", width=12),
        lines("Refusals by reason", "Calls that the server refused before it computed anything.", "reqps",
              [(f"sum by (reason) ({rate('kwta_refusals_total', INSTANCE)}) > 0", "{{reason}}")], "no refusals", width=12, stacked=True),
    ])


def latency():
    matchers = f"{INSTANCE}, {COMPUTING}"
    return row("Latency", [
        lines("Latency of calls that compute", "Quantiles of the total time to answer, from the histogram's buckets.", "s",
              [(quantile(part, "kwta_request_seconds", matchers), name)
               for part, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"))], NO_CALLS, width=12, logarithmic=True),
        heat_map("Latency, heat map", "How many calls a second took how long.", "s",
                 f"sum by (le) ({rate('kwta_request_seconds_bucket', matchers)})", NO_CALLS),
        lines("p99 by method", "All methods but WatchJob, whose caller chooses how long it lasts.", "s",
              [(quantile(0.99, "kwta_request_seconds", INSTANCE, "method"), "{{method}}")], NO_CALLS, logarithmic=True),
        lines("Wait for a batch", "Quantiles of the time that rows waited, by model.", "s",
              [(quantile(part, "kwta_queue_seconds", NAMED, "model"), "{{model}} " + name)
               for part, name in ((0.5, "p50"), (0.99, "p99"))], NO_MODEL, logarithmic=True),
        lines("Computation of a batch", "Quantiles of the time to compute a batch, by model.", "s",
              [(quantile(part, "kwta_compute_seconds", NAMED, "model"), "{{model}} " + name)
               for part, name in ((0.5, "p50"), (0.99, "p99"))], NO_MODEL, logarithmic=True),
    ])


def queue():
    return row("Queue and batches", [
        lines("Rows that wait", "Rows in the queue, and the limit beyond which calls are refused.", "short",
              [(f"sum by (instance) (kwta_queue_rows{{{INSTANCE}}})", "{{instance}}"),
               (f"min(kwta_queue_rows_limit{{{INSTANCE}}})", "limit of a replica")], "nothing is scraped", by_instance=True),
        lines("Requests that wait", "Requests of which rows wait for a batch.", "short",
              [(f"sum by (instance) (kwta_queue_requests{{{INSTANCE}}})", "{{instance}}")], "nothing is scraped", by_instance=True),
        lines("Bytes that wait", "Bytes of the rows in the queue.", "bytes",
              [(f"sum by (instance) (kwta_queue_bytes{{{INSTANCE}}})", "{{instance}}")], "nothing is scraped", by_instance=True),
        heat_map("Rows of a batch, heat map", "Batches a second by their number of rows. Large batches use the processor best.", "short",
                 f"sum by (le) ({rate('kwta_batch_rows_bucket', MODEL)})", NO_MODEL),
        lines("Rows of a batch", "Mean number of rows computed at once.", "short",
              [(mean("kwta_batch_rows", NAMED, "model"), "{{model}}")], NO_MODEL, width=6),
        lines("Batches", "Batches computed a second.", "ops",
              [(f"sum by (model) ({rate('kwta_batch_rows_count', NAMED)})", "{{model}}")], NO_MODEL, width=6),
        *control(),
    ])


def control():
    """What stands beside the queue of rows."""
    return [
        lines("Control calls that wait", "Calls that wait for a thread: quick ones look up or record, slow ones read or write files.", "short",
              [(f"sum by (instance, kind) (kwta_control_calls_waiting{{{INSTANCE}}})", "{{instance}} {{kind}}"),
               (f"min(kwta_control_calls_waiting_limit{{{INSTANCE}}})", "limit of a kind")], "nothing is scraped", width=12, by_instance=True),
        lines("Health watchers", "Open calls that watch the server's health, as load balancers and clients make them.", "short",
              [(f"sum by (instance) (kwta_health_watchers{{{INSTANCE}}})", "{{instance}}"),
               (f"min(kwta_health_watchers_limit{{{INSTANCE}}})", "limit of a replica")], "nothing is scraped", width=12, by_instance=True),
    ]


def saturation():
    return row("Saturation", [
        lines("Limits used", "The part of each limit that is used. At 1 the server refuses.", "percentunit",
              [(query, legend) for query, _, legend in SATURATION], "nothing is scraped", thresholds=steps((None, "green"), (0.8, "red")),
              high=1, by_instance=True),
        lines("Processors", "Processors that the server's process keeps busy; its trainers are processes of their own.", "short",
              [(f"{rate('process_cpu_seconds_total', INSTANCE)} {OURS}", "{{instance}}")], "nothing is scraped", by_instance=True),
        lines("Memory", "Resident memory of the server's process, and what of it are parameters of models.", "bytes",
              [(f"process_resident_memory_bytes{{{INSTANCE}}} {OURS}", "{{instance}} resident"),
               (f"sum by (instance) (kwta_model_memory_bytes{{{INSTANCE}}})", "{{instance}} models")], "nothing is scraped", by_instance=True),
    ])


def models():
    return row("Models", [
        table("Versions in memory", "What each replica can serve.",
              [("Memory", f"sum by (instance, model, version) (kwta_model_memory_bytes{{{NAMED}}})", "bytes"),
               ("Last load", f"max by (instance, model, version) (kwta_model_last_load_seconds{{{NAMED}}})", "s"),
               ("Units", f"max by (instance, model, version) (kwta_model_units{{{NAMED}}})", "none"),
               ("Rows/s", f"sum by (instance, model, version) ({rate('kwta_rows_encoded_total', NAMED)})", "rowsps")],
              {"instance": "Instance", "model": "Model", "version": "Version"}, NO_MODEL, width=12, height=8,
              links=("Instance", "http://${__value.raw}/", "Status page")),
        table("What they are", "Kind of encoder and sizes, from the versions' bundles.",
              [("Replicas", f"count by (model, version, encoder, input_width, units, code_width) (kwta_model_info{{{NAMED}}})", "none")],
              {"model": "Model", "version": "Version", "encoder": "Encoder", "input_width": "Inputs", "units": "Units",
               "code_width": "Code"}, NO_MODEL, width=12, height=8),
        lines("Versions by state", "Versions that are loading, ready, evicted, unloaded or failed.", "none",
              [(f"sum by (state) (kwta_model_versions{{{NAMED}}})", "{{state}}")], NO_MODEL, width=6, steps_between=True),
        lines("Time to load", "Quantiles of the time to load and warm up a version.", "s",
              [(quantile(part, "kwta_model_load_seconds", INSTANCE) + " >= 0", name)
               for part, name in ((0.5, "p50"), (0.99, "p99"))], "nothing was loaded", width=6),
        lines("Loads that failed", "Bundles that did not load in the range of a point, by code.", "none",
              [(f"sum by (code) (increase(kwta_model_load_failures_total{{{INSTANCE}, code!=\"\"}}[$__rate_interval]))", "{{code}}")],
              "none failed", width=6),
        lines("Evictions and problems", "Versions that left memory for others; parts of a model that cannot be read.", "none",
              [(f"sum by (model) (increase(kwta_model_evictions_total{{{NAMED}}}[$__rate_interval]))", "{{model}} evicted"),
               (f"max by (model) (kwta_model_problems{{{NAMED}}})", "{{model}} problems")], NO_MODEL, width=6),
    ], collapsed=True)


def device():
    return row("Device", [
        lines("Device memory", "What the server has allocated on its device, what of that is reserved for models, and the most that may be.",
              "bytes",
              [(f"kwta_device_memory_used_bytes{{{INSTANCE}}}", "{{instance}} used"),
               (f"kwta_device_models_bytes{{{INSTANCE}}}", "{{instance}} models"),
               (f"kwta_device_models_bytes_limit{{{INSTANCE}}}", "{{instance}} most for models")], "no device", by_instance=True),
        lines("Batches on the device", "Batches a second that the device computed, and those that the processor computed in its place.", "short",
              [(f"sum by (instance) ({rate('kwta_device_batches_total', INSTANCE)})", "{{instance}} device"),
               (f"sum by (instance, reason) ({rate('kwta_device_fallbacks_total', INSTANCE)})", "{{instance}} processor: {{reason}}")],
              "no device", by_instance=True),
        lines("Time of the device", "Part of the time in which the device copies and runs kernels, and batches in flight.", "short",
              [(f"sum by (instance) ({rate('kwta_device_copy_seconds_total', INSTANCE)})", "{{instance}} copies"),
               (f"sum by (instance) ({rate('kwta_device_kernel_seconds_total', INSTANCE)})", "{{instance}} kernels"),
               (f"sum by (instance) (kwta_device_batches_in_flight{{{INSTANCE}}})", "{{instance}} in flight")], "no device", by_instance=True),
        lines("Where versions are encoded", "Versions in memory on servers with a device, by place.", "none",
              [(f"sum by (place) (kwta_model_placement{{{INSTANCE}}})", "{{place}}")], "no device", width=12, steps_between=True),
        lines("Failed devices", "1 from the moment that a device fails until its server is restarted.", "none",
              [(f"sum by (instance) (kwta_device_failed{{{INSTANCE}}})", "{{instance}}")], "no device", width=12, steps_between=True,
              by_instance=True),
    ], collapsed=True)


def connections():
    return row("Connections", [
        lines("Open connections", "By port.", "short",
              [(f"sum by (instance, port) (kwta_connections_open{{{INSTANCE}}})", "{{instance}} {{port}}")], "none", by_instance=True),
        lines("Accepted", "Connections accepted a second. Many for few calls: callers do not keep theirs.", "cps",
              [(f"sum by (port) ({rate('kwta_connections_total', INSTANCE)})", "{{port}}")], "none"),
        lines("Refused or closed", "Connections a second beyond a limit, idle ones that made room for new ones, and clients that are too slow.",
              "cps", [(f"sum by (port, reason) ({rate('kwta_connections_refused_total', f'{INSTANCE}, {NO_OFFENCES}')})",
                       "{{port}} {{reason}}")], "none refused"),
        lines("Offenders ended", "Connections a second that the gRPC port ended because their clients broke a rule: docs/security.md has them.",
              "cps", [(f"sum by (reason) ({rate('kwta_connections_refused_total', f'{INSTANCE}, {OFFENCES}')})", "{{reason}}")],
              "no offenders", width=12),
        lines("Bytes held", "Bytes of requests that are not whole, which connections make the server hold, and the limit of a replica.", "bytes",
              [(f"sum by (instance, port) (kwta_connections_held_bytes{{{INSTANCE}}})", "{{instance}} {{port}}"),
               (f"min by (port) (kwta_connections_held_bytes_limit{{{INSTANCE}}})", "limit of {{port}}")], "nothing is scraped",
              width=12, by_instance=True),
    ], collapsed=True)


def build():
    return dashboard("kwta-serving", "kwta / Serving", __doc__,
                     [now(), traffic(), latency(), queue(), saturation(), models(), device(), connections()])
