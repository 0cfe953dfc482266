"""`python -m fargate_capacity` is the command `fargate-capacity`."""

from fargate_capacity.cli import main

if __name__ == "__main__":
    main()
