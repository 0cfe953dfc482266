"""What the function reads and writes in AWS; `floor_decisions` decides."""
