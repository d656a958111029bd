//! Every reachable state of a machine, breadth first.
