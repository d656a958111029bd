//! The picture and the findings for people.

use super::Verdict;
use super::diagnosis::{Certainty, Finding};
use super::picture::{Doing, End, Picture, Pipe, Process, Semaphore};
use crate::print::outln;

/// Lines are broken here where they can be.
const COLUMNS: usize = 100;

pub(super) fn print(picture: &Picture, findings: &[Finding], verdict: Verdict) {
    for process in &picture.processes {
        print_process(process, picture);
    }
    for pipe in &picture.pipes {
        print_queue(pipe, picture);
    }
    let others: Vec<_> = picture.semaphores.iter().filter(|it| it.role.is_none()).collect();
    if !others.is_empty() {
        let values: Vec<_> = others.iter().map(|it| value(it)).collect();
        outln!("semaphores whose part cannot be told: {}", values.join(" "));
    }
    for unread in &picture.unread {
        print_paragraph("not read  ", unread);
    }
    for finding in findings {
        print_finding(finding);
    }
    match verdict {
        Verdict::NothingSeen => outln!("= nothing wrong seen"),
        Verdict::Hazard => {
            let likely = findings.iter().filter(|it| it.is_likely());
            let ids: Vec<_> = likely.flat_map(|it| it.hazard).map(|it| it.to_string()).collect();
            outln!("= hazard    {}", ids.join(", "));
        }
        Verdict::CannotTell => outln!("= cannot tell"),
    }
}

fn print_process(process: &Process, picture: &Picture) {
    let asked = if process.pid == picture.asked { "  (asked about)" } else { "" };
    let dead = if process.zombie { "  dead, not waited for" } else { "" };
    let (pid, parent, command) = (process.pid, process.parent, &process.command);
    outln!("process {pid}  parent {parent}  {command}{asked}{dead}");
    for thread in &process.threads {
        let name = if thread.tid == pid { "first" } else { "" };
        let number = if thread.tid == pid { String::new() } else { thread.tid.to_string() };
        outln!("  thread {name}{number}  {}", doing(&thread.doing, picture));
    }
}

fn doing(doing: &Doing, picture: &Picture) -> String {
    let limit = |limited: &bool| if *limited { ", with a timeout" } else { "" };
    match doing {
        Doing::Reads { pipe, wants } => format!("blocked in read of pipe {pipe}, wants {wants} B"),
        Doing::Writes { pipe, given } => {
            format!("blocked in write to pipe {pipe}, was given {given} B")
        }
        Doing::Waits { semaphore, limited } => {
            let of = picture.semaphores.get(*semaphore).and_then(|it| it.role);
            let name = of.map_or_else(
                || format!("semaphore {semaphore}, whose part cannot be told"),
                |of| format!("{} of the queue on pipe {}", of.role.name(), of.pipe),
            );
            format!("blocked in a wait for {name}{}", limit(limited))
        }
        Doing::Local { limited } => {
            format!("waits for something of its own process{}", limit(limited))
        }
        Doing::Joins { child, limited } => {
            let child = child.map_or("any child".to_owned(), |child| child.to_string());
            format!("waits for {child} to end{}", limit(limited))
        }
        Doing::Polls { pipes, children, limited } => {
            let pipes = pipes.iter().map(|pipe| format!("pipe {pipe}"));
            let children = children.iter().map(|child| format!("the end of {child}"));
            let all: Vec<_> = pipes.chain(children).collect();
            let all = if all.is_empty() { "other descriptors".to_owned() } else { all.join(", ") };
            format!("polls {all}{}", limit(limited))
        }
        Doing::Other { number, place } => format!("in system call {number} ({place})"),
        Doing::Runs => "runs".to_owned(),
        Doing::Stopped => "is stopped".to_owned(),
        Doing::Unknown => "could not be seen".to_owned(),
    }
}

fn print_queue(pipe: &Pipe, picture: &Picture) {
    let number = |number: Option<u64>| number.map_or("?".to_owned(), |number| number.to_string());
    let (bytes, capacity) = (number(pipe.bytes), number(pipe.capacity));
    let of_this = |it: &&Semaphore| it.role.is_some_and(|role| role.pipe == pipe.inode);
    let known: Vec<_> = picture.semaphores.iter().filter(of_this).map(value).collect();
    let known = if known.is_empty() { "semaphores not told".to_owned() } else { known.join(" ") };
    outln!("queue on pipe {}  {bytes} of {capacity} B  {known}", pipe.inode);
    print_paragraph("  read by ", &ends(&pipe.readers));
    print_paragraph("  written by ", &ends(&pipe.writers));
}

fn value(semaphore: &Semaphore) -> String {
    let value = semaphore.value.map_or("?".to_owned(), |value| value.to_string());
    semaphore.role.map_or(value.clone(), |role| format!("{}={value}", role.role.name()))
}

fn ends(ends: &[End]) -> String {
    if ends.is_empty() {
        return "nobody".to_owned();
    }
    let one = |end: &End| format!("{} fd {}", end.pid, end.descriptor);
    ends.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn print_finding(finding: &Finding) {
    let name = finding.hazard.map_or("a wait".to_owned(), |hazard| {
        format!("{hazard} {}", finding.name.unwrap_or_default())
    });
    match finding.certainty {
        Certainty::Likely => outln!("! {name}: likely"),
        Certainty::CannotTell => outln!("? {name}: cannot tell"),
    }
    print_paragraph("    seen  ", &finding.why);
    if let Some(remedy) = finding.remedy {
        print_paragraph("    do    ", remedy);
    }
}

/// Words behind a heading, in lines of equal indent.
fn print_paragraph(heading: &str, text: &str) {
    let mut line = heading.to_owned();
    let indent = heading.len();
    for word in text.split_ascii_whitespace() {
        if line.len() > indent {
            if line.len() + word.len() >= COLUMNS {
                outln!("{line}");
                line = " ".repeat(indent);
            } else {
                line.push(' ');
            }
        }
        line.push_str(word);
    }
    outln!("{line}");
}
