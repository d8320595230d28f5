/**
 * The exposition: measures are read when someone scrapes, and written in Prometheus' text format by its own client. The
 * measures stay where they are taken, as plain numbers. Nothing in here is global.
 */

import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  type Metric,
  type MetricObjectWithValues,
  Registry,
} from "@prometheus-io/client";
import type { Histogram } from "../base/histogram.ts";
import type { Scrape } from "../http/routes/admin-routes.ts";

export type Labels = Readonly<Record<string, string>>;

/** One series of a measure: its labels, and its value now. */
export type Series<T> = readonly [Labels, T];

/**
 * How often the client looks at the event loop's delay and use. With the client's own values, 10 and 100 ms, that takes
 * a seventh of the processor time of an idle node.
 */
const loopDelayMs = 50;
const loopUseMs = 1_000;

/** The client's own metrics of the process whose names break Prometheus' conventions. Other metrics tell the same. */
const misnamed = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
  "nodejs_eventloop_utilization_summary",
];

export class Exposition {
  readonly #registry = new Registry();

  /** A value that goes up and down. There is no series while there is no value. */
  gauge(name: string, help: string, read: () => number | undefined): void {
    this.gauges(name, help, [], () => {
      const value = read();
      return value === undefined ? [] : [[{}, value]];
    });
  }

  gauges(name: string, help: string, labelNames: readonly string[], read: () => Iterable<Series<number>>): void {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect() {
        this.reset();
        // A gauge without labels is 0 after a reset. It must be gone when there is nothing to tell.
        this.remove({});
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  }

  /** A value that only grows while the process lives. */
  counter(name: string, help: string, read: () => number): void {
    this.counters(name, help, [], () => [[{}, read()]]);
  }

  counters(name: string, help: string, labelNames: readonly string[], read: () => Iterable<Series<number>>): void {
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    });
  }

  histogram(name: string, help: string, histogram: Histogram): void {
    this.histograms(name, help, () => [[{}, histogram]]);
  }

  histograms(name: string, help: string, read: () => Iterable<Series<Histogram>>): void {
    // The client asks a metric only for its name and its values. A metric that is filled elsewhere can't be of its own
    // classes.
    this.#registry.registerMetric(new FilledHistogram(name, help, read) as unknown as Metric<string>);
  }

  /** The process and its event loop: memory, processor time, files, garbage collection. */
  process(): void {
    collectDefaultMetrics({
      register: this.#registry,
      eventLoopMonitoringPrecision: loopDelayMs,
      eventLoopUtilizationTimeout: loopUseMs,
    });
    for (const name of misnamed) this.#registry.removeSingleMetric(name);
  }

  async scrape(): Promise<Scrape> {
    const text = await this.#registry.metrics();
    // The client writes Nan when it has measured nothing yet. The format knows NaN.
    return { contentType: this.#registry.contentType, text: text.replaceAll(/ Nan$/gm, " NaN") };
  }
}

/** A histogram that is filled elsewhere, in the form that the client's registry takes. */
class FilledHistogram {
  readonly name: string;
  readonly help: string;
  readonly #read: () => Iterable<Series<Histogram>>;

  constructor(name: string, help: string, read: () => Iterable<Series<Histogram>>) {
    this.name = name;
    this.help = help;
    this.#read = read;
  }

  get(): Omit<MetricObjectWithValues<HistogramValue>, "collect"> {
    const { name, help } = this;
    const values = [...this.#read()].flatMap(([labels, histogram]) => valuesOf(name, labels, histogram));
    return { name, help, type: "histogram", aggregator: "sum", values };
  }
}

interface HistogramValue {
  readonly metricName: string;
  readonly labels: Partial<Record<string, string | number>>;
  readonly value: number;
}

function valuesOf(name: string, labels: Labels, { bounds, counts, sum }: Histogram): HistogramValue[] {
  let count = 0;
  const buckets = [...counts].map((inBucket, index) => {
    count += inBucket;
    return { metricName: `${name}_bucket`, labels: { ...labels, le: bounds[index] ?? "+Inf" }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
