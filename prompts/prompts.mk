# `make prompts` speaks the texts in prompts/text/ anew; `make prompts LANGUAGES=de` only German ones.
# The results are kept in the repository: a build needs none of the tools.
.PHONY: prompts
prompts:
	prompts/speak.sh $(LANGUAGES)
	prompts/music.sh
	prompts/listen.sh
