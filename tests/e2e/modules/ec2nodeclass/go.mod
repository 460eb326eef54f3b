module karpenter-check/tests/e2e/ec2nodeclass

go 1.26.5

require github.com/aws/karpenter-provider-aws v1.14.1
