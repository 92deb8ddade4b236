"""What a report says first. Commands say it, too, and need no plots for it."""

from recommend.judgement import OWN, POPULARITY, RECOMMENDER, Judgement


def found_by_customers(judgement: Judgement) -> list[str]:
    """What a product owner asks, in sentences; none without figures."""
    sentences = []
    for customers, figures in (("customers", judgement.figures), ("new customers", judgement.figures_of_new)):
        if figures:
            ours, popular = (round(100 * figures[name].found) for name in (RECOMMENDER, POPULARITY))
            own = f", with what each of them chose most {round(100 * figures[OWN].found)}" if OWN in figures else ""
            sentences.append(
                f"Of 100 {customers}, {ours} find something that they {'later' if judgement.by_time else 'also'} chose "
                f"among ten recommendations; with bestsellers {popular}{own}."
            )
    if sentences and judgement.found_more is not None:
        low, high = (100 * bound for bound in judgement.found_more)
        stronger = "bestsellers" if judgement.stronger == POPULARITY else "the latter"
        sentences[0] += f" The difference to {stronger} is {low:+.1f} to {high:+.1f} (95 % interval)."
    if sentences:
        sentences.append("This looks back at choices that were held out from training; it does not promise sales.")
    return sentences
