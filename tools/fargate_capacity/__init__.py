"""What a cloud assembly's services will look like and cost: reads `cdk.out`, never a construct."""
