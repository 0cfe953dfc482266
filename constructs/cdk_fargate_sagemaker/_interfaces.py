"""What signatures take of the CDK where pyright does not see that its classes are its interfaces.

The parameters of some methods have other names in a class than in its interface, as those of
`Topic.add_subscription(topic_subscription)` and `ITopic.add_subscription(subscription)`.
"""

from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns

AnyFunction = lambda_.IFunction | lambda_.Function
AnyKey = kms.IKey | kms.Key
AnySecret = secretsmanager.ISecret | secretsmanager.Secret
AnyTopic = sns.ITopic | sns.Topic
