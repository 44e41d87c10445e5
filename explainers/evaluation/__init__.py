"""Methods x metrics over a folder of photographs: what `python -m explainers evaluate` does.

    plan = Plan(classifier, photographs("VOC2007", "val"), columns=parse("rise,grad-cam"), ...)
    store = Store(folder, plan.settings())
    failures = run(plan, store, plan.explainers())
    write_all(plan, store, failures)

`columns` says what is compared, `judging` what one map of one image scores, `run` goes over the
images, `store` keeps what is done, so that an interrupted evaluation goes on where it was;
`statistics`, `tables`, `plots` and `sheet` make of it what papers print. Every step after `run`
is without a prediction.
"""
