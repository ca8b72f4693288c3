//! Standard output: colours only where a terminal shows them (and `NO_COLOR` is not set), tables, and JSON.

use std::io::Write;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::failure::Failure;

/// Prints text that may hold ANSI styles, which are taken out where they would not be shown.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}

/// Prints lines that hold stored text.
pub fn print_lines(text: &str) -> Result<(), Failure> {
    print(&harmless_lines(text))
}

pub fn print_line(text: &str) -> Result<(), Failure> {
    print(&format!("{text}\n"))
}

/// Prints an error to standard error, on one line.
pub fn complain(line: &str) {
    // Where not even this can be written there is nobody to tell.
    _ = writeln!(anstream::stderr().lock(), "vna-partner: {line}");
}

/// Prints to standard error what accompanies the output.
pub fn tell(text: &str) {
    _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// A bar for what takes a while; it is drawn on a terminal alone.
pub fn progress(length: u64, prefix: String) -> ProgressBar {
    let bar = ProgressBar::new(length).with_prefix(prefix);
    match ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3}% {msg} ({eta} left)") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// `1 key`, `2 keys`.
pub fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Stored text must not be able to steer the terminal it is shown on.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn harmless_lines(text: &str) -> String {
    text.lines().map(|line| harmless(line) + "\n").collect()
}

/// Rows under their headings, in columns as wide as their widest cell.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let lines: Vec<Vec<String>> = std::iter::once(headings.iter().map(|heading| (*heading).to_owned()).collect())
        .chain(rows.iter().map(|row| row.iter().map(|cell| harmless(cell)).collect()))
        .collect();
    let widths: Vec<usize> = (0..headings.len())
        .map(|column| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Names and values below each other.
pub fn fields(pairs: &[(String, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    pairs.iter().map(|(name, value)| format!("{:<width$}  {}\n", harmless(name), harmless(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["4000".to_owned(), "Active".to_owned()], vec!["é".to_owned(), "Closed".to_owned()]];
        assert_eq!(table(&["ID", "STATUS"], &rows), "ID    STATUS\n4000  Active\né     Closed\n");
    }

    #[test]
    fn values_stand_below_each_other() {
        let pairs = [("id".to_owned(), "4000".to_owned()), ("status".to_owned(), "Active".to_owned())];
        assert_eq!(fields(&pairs), "id      4000\nstatus  Active\n");
    }

    #[test]
    fn stored_text_cannot_steer_the_terminal() {
        assert!(!fields(&[("name".to_owned(), "\u{1b}[2J".to_owned())]).contains('\u{1b}'));
        assert_eq!(harmless_lines("tier \u{1b}[2J\n\nlimit\n"), "tier \u{fffd}[2J\n\nlimit\n");
    }
}
