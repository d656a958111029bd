//! The tables as bars, in an SVG that needs nothing but a browser.

use std::fmt::Write;

use super::work::Workload;
use super::{Line, plural};

const WIDTH: u32 = 860;
/// Where the bars begin: left of it are the systems' names.
const LEFT: u32 = 280;
const ROW: u32 = 24;
const TITLE: u32 = 40;

/// One bar for each system of each workload, as long as its ratio to the first system's speed.
pub(crate) fn draw(tables: &[(&Workload, Vec<Line>)]) -> String {
    let ratios = tables.iter().flat_map(|(_, lines)| lines).map(|line| line.ratios[1]);
    let longest = ratios.fold(1.0, f64::max);
    let scale = f64::from(WIDTH - LEFT - 60) / longest;
    let mut bars = String::new();
    let mut y = 0;
    for (workload, lines) in tables {
        y += TITLE;
        let unit = plural(workload.unit);
        text(&mut bars, 8, y - 12, "title", &format!("{} ({unit} per second)", workload.title));
        for (index, line) in lines.iter().enumerate() {
            let class = if index == 0 { "other" } else { bar_class(line) };
            let width = line.ratios[1] * scale;
            text(&mut bars, 16, y + 15, "name", line.system);
            let _ = writeln!(
                bars,
                r#"<rect class="{class}" x="{LEFT}" y="{y}" width="{width:.1}" height="18"/>"#
            );
            let end = LEFT + width as u32 + 6;
            text(&mut bars, end, y + 14, "name", &format!("{:.2}", line.ratios[1]));
            y += ROW;
        }
    }
    let height = y + 10;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\">\n<style>\ntext {{ font: 13px sans-serif; fill: #222 }}\n\
         .title {{ font-weight: bold }}\n.own {{ fill: #2a6f97 }}\n.other {{ fill: #adb5bd }}\n\
         </style>\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n{bars}</svg>\n"
    )
}

fn bar_class(line: &Line) -> &'static str {
    if line.system.starts_with("midput") { "own" } else { "other" }
}

fn text(out: &mut String, x: u32, y: u32, class: &str, words: &str) {
    let _ = writeln!(out, r#"<text class="{class}" x="{x}" y="{y}">{words}</text>"#);
}
