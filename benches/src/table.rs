//! Medians, and tables as `docs/benchmarks.md` has them.

/// The median; 0 of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
        (Some(low), Some(high)) if sorted.len().is_multiple_of(2) => (low + high) / 2.0,
        (_, Some(one)) => *one,
        _ => 0.0,
    }
}

/// The median of the ratios of pairs that were measured side by side.
pub(crate) fn median_ratio(left: &[f64], right: &[f64]) -> f64 {
    let ratios: Vec<f64> = left.iter().zip(right).map(|(left, right)| left / right).collect();
    median(&ratios)
}

/// Prints a Markdown table.
pub(crate) fn print(heading: &str, head: &[&str], rows: &[Vec<String>]) {
    println!("\n### {heading}\n");
    println!("| {} |", head.join(" | "));
    println!("|{}", "---|".repeat(head.len()));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
}

/// Milliseconds of seconds.
pub(crate) fn milliseconds(seconds: f64) -> String {
    format!("{:.2}", seconds * 1000.0)
}

/// MiB of bytes.
pub(crate) fn mebibytes(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss)]
    let value = bytes as f64 / f64::from(1 << 20);
    format!("{value:.1}")
}
