//! `midput matrix`: guarantee by class, by world, with and without kills.

use midput_sim::matrix::{Cell, Cells, Class, MatrixOptions, Smallest, matrix as judge};
use midput_sim::settings::DEFAULT_SEED;

use crate::arguments::Matrix;
use crate::case_file::native_options;
use crate::exit::Status;
use crate::print::outln;
use crate::table::{print, table};

pub(crate) fn matrix(arguments: &Matrix) -> anyhow::Result<Status> {
    outln!("{}", LEGEND.trim_end());
    outln!();
    let options = MatrixOptions {
        states_max: arguments.states,
        cases: arguments.cases,
        native: arguments.native.then(|| native_options(None)).transpose()?,
    };
    let mut status = Status::Pass;
    for class in &Class::ALL {
        status = status.and(one(class, &options));
        outln!();
    }
    for (subject, why) in NOT_YET {
        outln!("{subject:<21} not yet: {why}");
    }
    Ok(status)
}

const LEGEND: &str = "\
Over a few scenarios of each class, in patient time. holds N: in all N states of their models, in all
N cases of the real code in simulation; this says nothing of other programs. violated N: after N
actions of the model, N steps of the code, by the command with that letter. -: is not judged.
With --native, real processes in a column of their own: holds N, in N runs; violated, in one of them.
";

/// What the table will have, and does not have.
const NOT_YET: [(&str, &str); 2] =
    [("robust", "its core is not a subject of checks"), ("cpython", "nothing drives it yet")];

fn one(class: &Class, options: &MatrixOptions) -> Status {
    let [calm, killed] = [false, true].map(|kills| judge(class, kills, options));
    let mut notes = Notes::default();
    let title = format!("{}, {}", class.subject, class.name);
    let native: &[&str] = if options.native.is_some() { &["native"] } else { &[] };
    let mut header = vec![title.as_str(), "nobody killed: model", "sim"];
    header.extend(native);
    header.extend(["with a kill: model", "sim"]);
    header.extend(native);
    let mut table = table(&header, &[]);
    for ((guarantee, calm), (_, killed)) in calm.iter().zip(&killed) {
        let mut row = vec![format!("{guarantee} {}", guarantee.name())];
        for (cells, kills) in [(calm, false), (killed, true)] {
            let Cells { model, sim, native } = cells;
            row.extend([notes.cell(model, kills), notes.cell(sim, kills)]);
            row.extend(native.as_ref().map(|native| notes.native(native)));
        }
        table.add_row(row);
    }
    print(&table);
    for (letter, command) in ('a'..='z').zip(&notes.commands) {
        outln!("  {letter}  {command}");
    }
    for why in &notes.undecided {
        outln!("  ?  {why}");
    }
    if notes.undecided.is_empty() { Status::Pass } else { Status::Inconclusive }
}

/// What stands below the table.
#[derive(Default)]
struct Notes {
    commands: Vec<String>,
    undecided: Vec<String>,
}

impl Notes {
    fn cell(&mut self, cell: &Cell, kills: bool) -> String {
        match cell {
            Cell::NotJudged => "-".to_owned(),
            Cell::Holds(count) => format!("holds {count}"),
            Cell::Undecided(why) => {
                if !self.undecided.contains(why) {
                    self.undecided.push(why.clone());
                }
                "undecided ?".to_owned()
            }
            Cell::Violated(smallest) => {
                let letter = self.letter(command(smallest, kills));
                format!("violated {} {letter}", smallest.length)
            }
        }
    }

    /// Real processes take no steps that could be counted and compared.
    fn native(&mut self, cell: &Cell) -> String {
        let Cell::Violated(smallest) = cell else { return self.cell(cell, false) };
        let command = format!("midput check {} --world native", smallest.scenario);
        format!("violated {}", self.letter(command))
    }

    /// The letter of a command; the same for the same.
    fn letter(&mut self, command: String) -> char {
        let known = self.commands.iter().position(|it| *it == command);
        let index = known.unwrap_or(self.commands.len());
        if known.is_none() {
            self.commands.push(command);
        }
        ('a'..='z').nth(index).unwrap_or('*')
    }
}

/// What shows a smallest case.
fn command(smallest: &Smallest, kills: bool) -> String {
    let scenario = smallest.scenario;
    match smallest.case {
        Some(number) => {
            format!("case {number} of midput check {scenario} --world sim --seed {DEFAULT_SEED:#x}")
        }
        None if kills => format!("midput explore {scenario} --traces"),
        None => format!("midput explore {scenario} --no-kills --traces"),
    }
}
