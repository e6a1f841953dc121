"""How fast a phone shows a page, by the metrics, curves and weights that Lighthouse documents.

    python -m benchmarks.pages [ja/index en/training] [--csv FILE]

Builds nothing: needs the built book and Chromium, as the page tests do. Paints are timed over
Lighthouse's slow 4G with its slowed CPU, from a server that compresses. Speed index, which needs a
film of the page, is taken to be the largest contentful paint, which is not earlier. Blocking time
is that of the tasks of a fast load, made longer, as Lighthouse simulates it. It is counted in CPU
time, and shorter where a fixed piece of work (work_ms) takes longer than on two quiet cores. Of
several loads the best counts: what else runs on a machine only makes a load slower.
"""

import argparse
import json
import math
import statistics
import sys

import pandas as pd
from playwright.sync_api import sync_playwright

from benchmarks.timing import machine, publish, today, write_table
from gpt_helpers.commands import command, new_file, positive
from tests.helpers.browser import EDITIONS, QUIET, SITE, QuietHandler, find_chromium, serving
from tools.serve import CompressedHandler

PAGES = [f"{e}/{name}" for e in EDITIONS for name in ("index", "architecture", "training")]
KILOBIT = 1024 / 8  # bytes
SLOW_4G = {
    "offline": False,
    "latency": 150 * 3.75,  # ms
    "downloadThroughput": 1638.4 * 0.9 * KILOBIT,  # bytes/s
    "uploadThroughput": 750 * 0.9 * KILOBIT,
}
SLOWDOWN = 4
# Metric: weight, value at the 90th percentile, value at the median (ms, ms, ms, ms, 1).
CURVES = {
    "FCP": (0.10, 1800, 3000),
    "SI": (0.10, 3387, 5800),
    "LCP": (0.25, 2500, 4000),
    "TBT": (0.30, 200, 600),
    "CLS": (0.25, 0.1, 0.25),
}
LONG = 50  # ms: what a task may take without blocking
TASK = "ThreadControllerImpl::RunTask"
QUIET_WORK = 110  # ms that the work takes on two quiet cores
WORK = """() => {
  const main = document.querySelector("main");
  for (let time = 0; time < 10; time++) {
    main.innerHTML = "<p>one <b>two</b> <code>three</code> four <i>five</i> six</p>".repeat(500);
    main.offsetHeight;
  }
}"""
PHONE = {
    "viewport": {"width": 412, "height": 823},
    "device_scale_factor": 1.75,
    "is_mobile": True,
    "has_touch": True,
}
OBSERVE = """
globalThis.measured = { FCP: 0, LCP: 0, CLS: 0 };
const watch = (type, note) => new PerformanceObserver((list) => list.getEntries().forEach(note))
  .observe({ type, buffered: true });
watch("paint", (e) => { if (e.name === "first-contentful-paint") measured.FCP = e.startTime; });
watch("largest-contentful-paint", (e) => { measured.LCP = e.startTime; });
watch("layout-shift", (e) => { if (!e.hadRecentInput) measured.CLS += e.value; });
"""


def score(metrics):
    """Return Lighthouse's score of performance, 0 to 100, from {metric: value}."""
    return 100 * sum(
        weight * log_normal(metrics[name], ninetieth, median)
        for name, (weight, ninetieth, median) in CURVES.items()
    )


def log_normal(value, ninetieth, median):
    """Return the share of pages that are slower, on the log-normal curve through two points."""
    if value <= 0:
        return 1.0
    z = 0.9061938024368232 * math.log(value / median) / -math.log(ninetieth / median)
    return (1 - math.erf(z)) / 2


def blocking_time(events, slowdown):
    """Return the milliseconds by which tasks after the first paint would be too long on a phone."""
    painted = {
        (event["pid"], event["tid"]): event["ts"]
        for event in events
        if event["name"] == "firstContentfulPaint"
    }
    over = 0
    for event in events:
        start = painted.get((event["pid"], event["tid"]), math.inf)
        if event["name"] == TASK and event["ph"] == "X" and event["ts"] > start:
            over += max(0, event.get("tdur", event.get("dur", 0)) / 1000 * slowdown - LONG)
    return over


def load(browser, url, slow, prepare):
    """Load a page on a phone; return what it measured, and what prepare and the trace say."""
    context = browser.new_context(**PHONE)
    page = context.new_page()
    client = context.new_cdp_session(page)
    prepared = prepare(page, client)
    page.add_init_script(OBSERVE)
    if slow:
        client.send("Network.enable")
        client.send("Network.emulateNetworkConditions", SLOW_4G)
        client.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
    browser.start_tracing(page=page, categories=["toplevel", "loading", "__metadata"])
    page.goto(url, wait_until="load" if slow else "networkidle")
    page.wait_for_timeout(300)
    trace = json.loads(browser.stop_tracing())["traceEvents"]
    measured = page.evaluate("measured")
    context.close()
    return measured, prepared, trace


def work(page, client):
    """Return the milliseconds of CPU time that a fixed piece of layout takes."""
    client.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.set_content("<main></main>")
    page.evaluate(WORK)
    metrics = client.send("Performance.getMetrics")["metrics"]
    client.send("Performance.disable")
    return 1000 * next(m["value"] for m in metrics if m["name"] == "LayoutDuration")


def measure(browser, url):
    """Load a page twice, slow and fast, and return {metric: value}."""
    paints, _, _ = load(browser, url, True, lambda page, client: None)
    _, worked, trace = load(browser, url, False, work)
    slowdown = SLOWDOWN * min(1, QUIET_WORK / worked)
    return {**paints, "SI": paints["LCP"], "TBT": blocking_time(trace, slowdown), "work": worked}


class QuietCompressedHandler(QuietHandler, CompressedHandler):
    """Serve as web hosts do, and say nothing."""


def page_row(browser, address, name, n_loads):
    """Return the row of a page: the metrics of the best of n_loads, and what they are worth."""
    loads = [measure(browser, f"{address}/{name}.html") for _ in range(n_loads)]
    best = max(loads, key=score)
    return {
        "page": name,
        "loads": n_loads,
        "score": round(score(best)),
        "score_median": round(statistics.median(map(score, loads))),
        **{f"{metric}_ms": round(best[metric]) for metric in ("FCP", "LCP", "TBT")},
        "CLS": round(best["CLS"], 4),
        "work_ms": round(best["work"]),
    }


def check_built(names):
    """Raise ValueError unless the built book has these pages, such as "en/training"."""
    lacking = [name for name in names if not (SITE / f"{name}.html").is_file()]
    if lacking:
        raise ValueError(f"{SITE} has no page {', '.join(lacking)}; run make book, or name another")


@command("not measured")
def main():
    """Measure, print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", default=PAGES, help="such as en/training")
    parser.add_argument("--csv", type=new_file, help="where to write the table")
    parser.add_argument("--loads", type=positive, default=5, help="of each page")
    options = parser.parse_args()
    check_built(options.pages)
    with serving(QuietCompressedHandler) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(playwright), args=QUIET)
        rows = [page_row(browser, address, name, options.loads) for name in options.pages]
        facts = {"browser": f"Chromium {browser.version}", "date": today()}
        browser.close()
    table = pd.DataFrame(rows)
    publish(table)
    if options.csv:
        write_table(options.csv, table.assign(**facts, **machine()))


if __name__ == "__main__":
    sys.exit(main())
