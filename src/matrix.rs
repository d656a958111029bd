//! `midput matrix`: guarantee by class, by world, with and without kills.

use midput_sim::matrix::{Cell, Cells, Class, MatrixOptions, Smallest, matrix as judge};
use midput_sim::settings::DEFAULT_SEED;

use crate::arguments::Matrix;
use crate::exit::Status;
use crate::print::outln;
use crate::table::{print, table};

pub(crate) fn matrix(arguments: &Matrix) -> Status {
    outln!("{}", LEGEND.trim_end());
    outln!();
    let options = MatrixOptions { states_max: arguments.states, cases: arguments.cases };
    let mut status = Status::Pass;
    for class in &Class::ALL {
        status = status.and(one(class, options));
        outln!();
    }
    for (subject, why) in NOT_YET {
        outln!("{subject:<21} not yet: {why}");
    }
    status
}

const LEGEND: &str = "\
Over a few scenarios of each class, in patient time. holds N: in all N states of their models, in all
N cases of the real code in simulation; this says nothing of other programs. violated N: after N
actions of the model, N steps of the code, by the command with that letter. -: is not judged.
";

/// What the table will have, and does not have.
const NOT_YET: [(&str, &str); 2] =
    [("robust", "it is not built"), ("cpython", "nothing drives it yet")];

fn one(class: &Class, options: MatrixOptions) -> Status {
    let [calm, killed] = [false, true].map(|kills| judge(class, kills, options));
    let mut notes = Notes::default();
    let title = format!("{}, {}", class.subject, class.name);
    let calm_world = ["nobody killed: model", "sim"];
    let header = [&title, calm_world[0], calm_world[1], "with a kill: model", "sim"];
    let mut table = table(&header, &[]);
    for ((guarantee, calm), (_, killed)) in calm.iter().zip(&killed) {
        let row = [(calm, false), (killed, true)].map(|(cells, kills)| {
            let Cells { model, sim } = cells;
            [notes.cell(model, kills), notes.cell(sim, kills)]
        });
        let [[calm_model, calm_sim], [killed_model, killed_sim]] = row;
        let name = format!("{guarantee} {}", guarantee.name());
        table.add_row([name, calm_model, calm_sim, killed_model, killed_sim]);
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
                let command = command(smallest, kills);
                let known = self.commands.iter().position(|it| *it == command);
                let index = known.unwrap_or(self.commands.len());
                if known.is_none() {
                    self.commands.push(command);
                }
                let letter = ('a'..='z').nth(index).unwrap_or('*');
                format!("violated {} {letter}", smallest.length)
            }
        }
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
