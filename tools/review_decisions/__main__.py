from review_decisions.cli import main

main()
