//! The samples of a gate as pictures: one for each tenant, time to the right, milliseconds upwards on a logarithmic
//! scale, so that a limit of 500 ms and answers of 5 ms are seen together.

use std::fmt::Write as _;

use eclusa_fault::{Language, Message};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::{GateReport, SampleReport, SeriesReport};
use crate::words::{between, clock_text, count_text, milliseconds_text, word};

/// The height of a picture. Vertical units are pixels; horizontal ones are thousandths of the width.
const HEIGHT: f64 = 168.0;
/// Fewer samples than this say more as facts than as dots.
const FEWEST: usize = 8;
/// How many colours there are for sources; the next one begins again.
const COLOURS: usize = 6;

/// The picture of one tenant's samples.
pub(crate) struct Plot {
    pub title: String,
    pub description: String,
    pub ticks: Vec<Tick>,
    pub series: Vec<Drawn>,
    /// The failed ones, whatever their source.
    pub failed: String,
    pub limit: Option<Tick>,
    /// The width of the warm-up in percent.
    pub warm_up: Option<String>,
    pub from: String,
    pub to: String,
    pub legend: Vec<Legend>,
}

/// A horizontal line with its label.
pub(crate) struct Tick {
    pub y: String,
    pub label_y: String,
    pub label: String,
}

/// The samples of one source.
pub(crate) struct Drawn {
    pub colour: usize,
    pub path: String,
    /// Where the median of the baseline is.
    pub baseline: Option<String>,
}

/// What a colour stands for.
pub(crate) struct Legend {
    pub colour: usize,
    pub text: String,
}

/// The pictures of a gate.
pub(crate) fn of(gate: &GateReport, language: &Language, zone: &TimeZone) -> Vec<Plot> {
    let mut tenants: Vec<&str> = gate.samples.iter().map(|sample| sample.tenant.as_str()).collect();
    tenants.sort_unstable();
    tenants.dedup();
    tenants.into_iter().filter_map(|tenant| plot(gate, tenant, language, zone)).collect()
}

/// From milliseconds and times to places.
struct Scale {
    from: Timestamp,
    span: f64,
    low: f64,
    high: f64,
}

impl Scale {
    fn x(&self, at: Timestamp) -> f64 {
        // A little room at both ends, so that no dot is cut off.
        6.0 + between(self.from, at) as f64 / self.span * 988.0
    }

    fn y(&self, milliseconds: f64) -> f64 {
        let share = (milliseconds.max(1e-3).ln() - self.low.ln()) / (self.high.ln() - self.low.ln());
        HEIGHT - 8.0 - share.clamp(0.0, 1.0) * (HEIGHT - 20.0)
    }

    /// One, two or five times a power of ten, as few as leave the picture calm.
    fn ticks(&self) -> Vec<f64> {
        let all = |steps: &[f64]| -> Vec<f64> {
            (-3..7)
                .flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)))
                .filter(|value| *value >= self.low && *value <= self.high)
                .collect()
        };
        let fine = all(&[1.0, 2.0, 5.0]);
        if fine.len() <= 6 { fine } else { all(&[1.0]) }
    }
}

fn plot(gate: &GateReport, tenant: &str, language: &Language, zone: &TimeZone) -> Option<Plot> {
    let own: Vec<&SampleReport> = gate.samples.iter().filter(|sample| sample.tenant == tenant).collect();
    if own.len() < FEWEST {
        return None;
    }
    let from = own.iter().map(|sample| sample.at).min()?;
    let to = own.iter().map(|sample| sample.at).max()?;
    let series: Vec<&SeriesReport> = gate.series.iter().filter(|series| series.tenant == tenant).collect();
    let values = own
        .iter()
        .map(|sample| sample.milliseconds.max(0.01))
        .chain(gate.limit_milliseconds.map(|ms| ms as f64));
    let (low, high) =
        values.fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let scale = Scale { from, span: between(from, to).max(1) as f64, low: low * 0.8, high: high * 1.3 };
    let tick = |value: f64, label: String| {
        let y = scale.y(value);
        Tick { y: format!("{y:.1}"), label_y: format!("{:.1}", y - 3.0), label }
    };
    let title = Message::new("report-chart-title").with("tenant", tenant).render(language);
    Some(Plot {
        description: describe(tenant, &own, language),
        title,
        ticks: scale.ticks().into_iter().map(|value| tick(value, short_milliseconds(value))).collect(),
        series: series.iter().enumerate().map(|(place, series)| drawn(&scale, place, series, &own)).collect(),
        failed: path(&scale, own.iter().copied().filter(|sample| !sample.good)),
        limit: gate.limit_milliseconds.map(|limit| {
            let label = Message::new("report-chart-limit").with("value", limit).render(language);
            tick(limit as f64, label)
        }),
        warm_up: gate
            .warm_up_until
            .filter(|until| *until > from)
            .map(|until| format!("{:.2}", (scale.x(until) / 10.0).min(100.0))),
        from: clock_text(from, zone),
        to: clock_text(to, zone),
        legend: series.iter().enumerate().map(|(place, series)| legend(place, series, language)).collect(),
    })
}

fn drawn(scale: &Scale, place: usize, series: &SeriesReport, own: &[&SampleReport]) -> Drawn {
    Drawn {
        colour: place % COLOURS,
        path: path(scale, own.iter().copied().filter(|sample| sample.good && sample.source == series.source)),
        baseline: series.baseline_milliseconds.map(|value| format!("{:.1}", scale.y(value))),
    }
}

/// Dots as strokes of no length with round ends: ten characters each, and round however wide the picture is.
fn path<'a>(scale: &Scale, samples: impl Iterator<Item = &'a SampleReport>) -> String {
    let mut path = String::new();
    for sample in samples {
        // Writing to a text cannot fail.
        let _ = write!(path, "M{:.1} {:.1}h0", scale.x(sample.at), scale.y(sample.milliseconds));
    }
    path
}

fn legend(place: usize, series: &SeriesReport, language: &Language) -> Legend {
    let source = match series.source.as_str() {
        "traffic" => word("report-chart-traffic", language),
        source => source.to_owned(),
    };
    let id = if series.bad == 0 { "report-chart-source" } else { "report-chart-source-bad" };
    let text = Message::new(id)
        .with("source", source)
        .with("count", count_text(series.count as u64))
        .with("bad", series.bad)
        .with("median", milliseconds_text(series.median_milliseconds))
        .render(language);
    Legend { colour: place % COLOURS, text }
}

fn describe(tenant: &str, own: &[&SampleReport], language: &Language) -> String {
    let times = || own.iter().map(|sample| sample.milliseconds);
    Message::new("report-chart-description")
        .with("tenant", tenant)
        .with("count", count_text(own.len() as u64))
        .with("bad", own.iter().filter(|sample| !sample.good).count())
        .with("low", milliseconds_text(times().fold(f64::MAX, f64::min)))
        .with("high", milliseconds_text(times().fold(0.0, f64::max)))
        .render(language)
}

fn short_milliseconds(value: f64) -> String {
    if value >= 1000.0 { format!("{} s", value / 1000.0) } else { format!("{value} ms") }
}
