"""The lower bound of every synth: an app with an empty stack."""

import aws_cdk as cdk

app = cdk.App()
cdk.Stack(app, "Empty")
app.synth()
