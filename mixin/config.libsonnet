// What a fleet changes; everything else follows. See docs/alerts.md.
{
  _config+:: {
    // Before the names of all metrics, as --metrics-namespace sets it.
    namespace: 'karpenter_check',
    // Which series are looked at: 'environment="production"', for a Prometheus that holds more.
    selector: '',
    // The job of the groups in the Pushgateway; its own metrics of pushes have it.
    pushJob: 'karpenter-check',
    // What tells clusters apart.
    clusterLabel: 'cluster',
    docs: 'https://github.com/karpenter-check/karpenter-check/blob/main/docs',

    // Kinds that a scan is complete without; a test holds them against the program.
    optionalKinds: ['CustomResourceDefinition', 'Lease', 'PersistentVolume', 'PersistentVolumeClaim', 'StorageClass', 'VolumeAttachment'],

    // A scan every ten minutes that fails three times is stale; a cluster of which nothing comes any more is missed for so long.
    staleAfterSeconds: 1800,
    rememberFor: '1d',
    findingsFor: '20m',
    // Deaths of their expireAfter within an hour, in one NodePool.
    expiredPerHour: 5,
    // Pods that did not come to their node within half an hour, in one NodePool and for one reason.
    nominationFailuresPerHalfHour: 3,
    heldByNominationSeconds: 1800,
    overdueSeconds: 86400,

    // Which rule tells of nodes that are kept for a reason, and of those of all others; a test holds it against the program.
    ruleOfDelay: { budget: 'budget-blocks-disruption', nominated: 'node-reaping-nominated', terminating: 'node-terminating-stuck' },
    ruleOfOtherDelays: 'node-reaping-blocked',

    // Dashboards: how often a scan comes, over what time quantiles are taken, and under which UIDs Grafana has them.
    scanInterval: '10m',
    delayWindow: '1d',
    dashboards: {
      overview: 'karpenter-check-overview',
      rates: 'karpenter-check-rates',
      objects: 'karpenter-check-objects',
      expiry: 'karpenter-check-expiry',
      reaping: 'karpenter-check-reaping',
      scanner: 'karpenter-check-scanner',
    },
    // Of Karpenter's own metrics others have good ones; put the links of yours here.
    karpenterDashboards: [
      { title: 'Karpenter: overview', url: 'https://grafana.com/grafana/dashboards/22171-kubernetes-autoscaling-karpenter-overview' },
      { title: 'Karpenter: activity, performance, costs', url: 'https://github.com/adinhodovic/kubernetes-autoscaling-mixin' },
      { title: 'Karpenter: metrics', url: 'https://grafana.com/grafana/dashboards/20398-karpenter' },
    ],
  },
}
