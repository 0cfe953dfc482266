from cdk_review.cli import main

main()
