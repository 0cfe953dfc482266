"""What the function reads and writes in AWS; the decisions are those of `floor_decisions`."""
