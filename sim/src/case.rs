//! A case: all that a run depends on, as data and as a short text file.

use std::fmt::Write as _;

use midput_model::site::Site;
use midput_scenarios::{KillPoint, Scenario};

use crate::mutation::Mutation;
use crate::schedule::StrategyName;

/// The version of the text form that this crate writes. It reads version 1 as well, whose choices
/// were all drawn at random.
pub const VERSION: u32 = 2;

/// All that a run depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The scenario's name.
    pub scenario: String,
    /// What is tested.
    pub subject: String,
    /// The sweep's seed.
    pub seed: u64,
    /// The case's number in the sweep: with the seed, it draws everything else.
    pub number: u64,
    /// Who decides at the choices, where none are recorded.
    pub strategy: StrategyName,
    /// How many choices a run has, about: the mean of the census. Strategies draw places among so
    /// many.
    pub length: u32,
    /// Whether waits may expire from the moment that they block.
    pub time_any: bool,
    /// Where processes are killed.
    pub kills: Vec<KillPoint>,
    /// Lanes that stay at a site until their process dies.
    pub holds: Vec<Site>,
    /// Other faults.
    pub faults: Vec<Fault>,
    /// What was chosen wherever there was a choice: the position and what stood there. Without
    /// it the choices are drawn from seed and number.
    pub choices: Option<Vec<(usize, String)>>,
    /// How the code is altered, and what it is held against, where it does not run as it is.
    pub mutation: Option<Mutation>,
    /// Its own scenario, where it is not the one in the file of its name: a smaller program that
    /// shows the same.
    pub program: Option<Box<Scenario>>,
    /// Why the case is kept.
    pub why: Option<String>,
}

impl Case {
    /// The scenario that the case runs: its own, or else the one of its name.
    pub fn scenario_or<'a>(&'a self, named: &'a Scenario) -> &'a Scenario {
        self.program.as_deref().unwrap_or(named)
    }
}

/// A fault beside a kill, at a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub site: Site,
    /// What.
    pub kind: FaultKind,
}

/// What a fault does to the step at its site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The transfer moves at most so many bytes, and its call returns.
    Short(u32),
    /// A signal handler interrupts the call (`EINTR`).
    Interrupt,
}

/// Why a text is no case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCase {
    /// The first line is not that of a case.
    #[error("line 1: a case begins with 'midput case {VERSION}'")]
    Head,
    /// Written by a version that this crate does not know.
    #[error(
        "line 1: this is a case of version {found}; this midput reads versions 1 to {VERSION}: \
         replay it with the midput that wrote it"
    )]
    Version {
        /// The version in the file.
        found: String,
    },
    /// A line that cannot be read.
    #[error("line {line}: {problem}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A part of it is missing at its end.
    #[error("{promised} {what} were promised, {found} are here: the file is cut short")]
    Short {
        /// Which part.
        what: &'static str,
        /// How many there should be.
        promised: usize,
        /// How many there are.
        found: usize,
    },
    /// Its own scenario is none.
    #[error("the case's own program cannot be read: {problem}")]
    Program {
        /// What is wrong in it.
        problem: String,
    },
    /// A line that every case has is missing.
    #[error("the case has no line '{key} …'")]
    Missing {
        /// The line's first word.
        key: &'static str,
    },
}

impl std::fmt::Display for Case {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = String::new();
        let _ = writeln!(out, "midput case {VERSION}");
        let _ = writeln!(out, "scenario {}", self.scenario);
        let _ = writeln!(out, "subject {}", self.subject);
        let _ = writeln!(out, "drawn seed {:#x} case {}", self.seed, self.number);
        let _ = writeln!(out, "strategy {}", self.strategy);
        let _ = writeln!(out, "length {}", self.length);
        let _ = writeln!(out, "time {}", if self.time_any { "any" } else { "patient" });
        for kill in &self.kills {
            let _ = writeln!(out, "kill {kill}");
        }
        for hold in &self.holds {
            let _ = writeln!(out, "hold {hold}");
        }
        for fault in &self.faults {
            let _ = match fault.kind {
                FaultKind::Short(bytes) => writeln!(out, "short {} {bytes}B", fault.site),
                FaultKind::Interrupt => writeln!(out, "interrupt {}", fault.site),
            };
        }
        if let Some(mutation) = &self.mutation {
            let _ = writeln!(out, "mutant {mutation}");
        }
        if let Some(why) = &self.why {
            let _ = writeln!(out, "why {}", why.replace('\n', " "));
        }
        if let Some(choices) = &self.choices {
            let _ = writeln!(out, "choices {}", choices.len());
            for (index, text) in choices {
                let _ = writeln!(out, "  {index} {text}");
            }
        }
        if let Some(program) = &self.program {
            let text = midput_scenarios::write(program);
            let _ = writeln!(out, "program {}", text.lines().count());
            text.lines().for_each(|line| out.extend(["  ", line, "\n"]));
        }
        formatter.write_str(&out)
    }
}

impl std::str::FromStr for Case {
    type Err = NoCase;

    fn from_str(text: &str) -> Result<Self, NoCase> {
        let mut lines = (1..).zip(text.lines());
        let (_, head) = lines.next().ok_or(NoCase::Head)?;
        let version = head.strip_prefix("midput case ").map(str::trim).ok_or(NoCase::Head)?;
        let mut parser = Parser::default();
        match version.parse::<u32>() {
            Ok(1) => parser.strategy = Some(StrategyName::Random),
            Ok(VERSION) => {}
            _ => return Err(NoCase::Version { found: version.to_owned() }),
        }
        for (number, line) in lines {
            if !line.trim().is_empty() && !line.starts_with('#') {
                parser.line(line).map_err(|problem| NoCase::Line { line: number, problem })?;
            }
        }
        parser.finish()
    }
}

#[derive(Default)]
struct Parser {
    scenario: Option<String>,
    subject: Option<String>,
    drawn: Option<(u64, u64)>,
    strategy: Option<StrategyName>,
    length: u32,
    time_any: bool,
    kills: Vec<KillPoint>,
    holds: Vec<Site>,
    faults: Vec<Fault>,
    choices: Option<Vec<(usize, String)>>,
    choices_promised: usize,
    mutation: Option<Mutation>,
    /// The lines of the case's own scenario, and how many were promised.
    program: Option<(Vec<String>, usize)>,
    why: Option<String>,
}

impl Parser {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some(indented) = line.strip_prefix("  ") {
            return match &mut self.program {
                Some((lines, _)) => {
                    lines.push(indented.to_owned());
                    Ok(())
                }
                None => self.choice(indented),
            };
        }
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match key {
            "scenario" => self.scenario = Some(rest.to_owned()),
            "subject" => self.subject = Some(rest.to_owned()),
            "drawn" => self.drawn = Some(drawn(rest)?),
            "strategy" => {
                self.strategy = Some(rest.parse().map_err(|error| format!("{error}"))?);
            }
            "length" => self.length = number(rest)?,
            "time" => {
                self.time_any = match rest {
                    "any" => true,
                    "patient" => false,
                    _ => return Err(format!("time is 'patient' or 'any', not '{rest}'")),
                }
            }
            "kill" => self.kills.push(rest.parse().map_err(|error| format!("{error}"))?),
            "hold" => self.holds.push(rest.parse().map_err(|error| format!("{error}"))?),
            "interrupt" => self.faults.push(Fault {
                site: rest.parse().map_err(|error| format!("{error}"))?,
                kind: FaultKind::Interrupt,
            }),
            "short" => self.faults.push(short(rest)?),
            "why" => self.why = Some(rest.to_owned()),
            "mutant" => {
                self.mutation = Some(rest.parse().map_err(|error| format!("{error}"))?);
            }
            "program" => self.program = Some((Vec::new(), number(rest)?)),
            "choices" => {
                self.choices_promised = number(rest)?;
                self.choices = Some(Vec::new());
            }
            _ => return Err(format!("a case has no line '{key}'")),
        }
        Ok(())
    }

    fn choice(&mut self, text: &str) -> Result<(), String> {
        let choices = self.choices.as_mut().ok_or("a choice comes after the line 'choices'")?;
        let (index, what) = text
            .trim()
            .split_once(' ')
            .ok_or("a choice is a position and what stood there: '1 P1.feed encode[1]'")?;
        choices.push((number(index)?, what.to_owned()));
        Ok(())
    }

    fn finish(self) -> Result<Case, NoCase> {
        let (seed, number) = self.drawn.ok_or(NoCase::Missing { key: "drawn" })?;
        if let Some(choices) = &self.choices {
            promised("choices", self.choices_promised, choices.len())?;
        }
        let scenario = self.scenario.ok_or(NoCase::Missing { key: "scenario" })?;
        let program = self.program.map(|(lines, count)| {
            promised("lines of the program", count, lines.len())?;
            let program = midput_scenarios::parse(&scenario, &lines.join("\n"));
            program.map(Box::new).map_err(|error| NoCase::Program { problem: error.to_string() })
        });
        Ok(Case {
            program: program.transpose()?,
            mutation: self.mutation,
            scenario,
            subject: self.subject.ok_or(NoCase::Missing { key: "subject" })?,
            seed,
            number,
            strategy: self.strategy.ok_or(NoCase::Missing { key: "strategy" })?,
            length: self.length,
            time_any: self.time_any,
            kills: self.kills,
            holds: self.holds,
            faults: self.faults,
            choices: self.choices,
            why: self.why,
        })
    }
}

/// A part of the file has as many lines as it says.
fn promised(what: &'static str, promised: usize, found: usize) -> Result<(), NoCase> {
    if promised == found { Ok(()) } else { Err(NoCase::Short { what, promised, found }) }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("'{text}' is no number that fits here"))
}

fn drawn(text: &str) -> Result<(u64, u64), String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let ["seed", seed, "case", case] = words[..] else {
        return Err(format!("'{text}' is not of the form 'seed 0x4d2 case 118'"));
    };
    let seed = match seed.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => seed.parse().ok(),
    };
    Ok((seed.ok_or(format!("'{text}' has no seed that fits in 64 bits"))?, number(case)?))
}

fn short(text: &str) -> Result<Fault, String> {
    let form = || format!("'{text}' is not of the form 'P1.feed write-body[1] 100B'");
    let (site, bytes) = text.rsplit_once(' ').ok_or_else(form)?;
    let bytes = bytes.strip_suffix('B').and_then(|it| it.parse().ok()).ok_or_else(form)?;
    let site = site.parse().map_err(|error| format!("{error}"))?;
    Ok(Fault { site, kind: FaultKind::Short(bytes) })
}
