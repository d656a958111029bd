//! A worker process that squares what it gets: `cargo run -p midput-real --example worker`.

use midput_real::{Process, Queue, workers};

type Error = Box<dyn std::error::Error>;

fn square((numbers, squares): (Queue<u64>, Queue<u64>)) -> Result<(), Error> {
    let number = numbers.get()?;
    Ok(squares.put(number * number)?)
}

fn main() -> Result<(), Error> {
    let _guard = midput_real::init(workers![square]);
    let (numbers, squares) = (Queue::new(0)?, Queue::new(0)?);
    let process = Process::start(square, (numbers.clone(), squares.clone()))?;
    numbers.put(12)?;
    println!("12 squared is {}", squares.get()?);
    println!("the worker ended with {}", process.join()?);
    Ok(())
}
