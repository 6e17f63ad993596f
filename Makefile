# make run     build and start the gateway, with its data in ./data
# make test    everything that must hold: format, lints, walls, unit, integration and real telephones
# make bench   speed, as ratios
# make prompts the spoken prompts, from their text files
# make web     the page, from web/src into web/dist, which is committed; make web-check tries it in a browser
# make fuzz    bytes that nobody would send, for a while
.PHONY: run build test packages bench prompts web web-check fuzz clean

CARGO ?= cargo
DATA  ?= data

run: build
	@mkdir -p $(DATA)
	@cd $(DATA) && exec "$(CURDIR)/target/release/ringlift" serve $(if $(wildcard $(DATA)/ringlift.toml),--config ringlift.toml)

build:
	@.ci/need cmake=cmake cc=gcc c++=g++
	@$(CARGO) build --release --locked --quiet

# The telephones, the browser and the tools that the tests use, from Debian.
packages:
	@.ci/need cmake=cmake cc=gcc c++=g++ sipp=sip-tester baresip=baresip-core linphonec=linphone-cli \
		ip=iproute2 iptables=iptables nft=nftables python3=python3-minimal chromium=chromium node=nodejs npm=npm kamailio=kamailio rtpengine=rtpengine-daemon \
		pebble=pebble turnserver=coturn nsenter=util-linux

test: packages
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --quiet --lib --no-default-features -- -D warnings
	$(CARGO) clippy --locked --quiet --all-targets -- -D warnings
	@cd web && npm ci --silent --no-audit --no-fund
	@.ci/tests
	@$(MAKE) --no-print-directory web-check

bench:
	@.ci/need cmake=cmake cc=gcc c++=g++ chromium=chromium node=nodejs npm=npm
	$(CARGO) bench --locked
	@cd web && npm ci --silent --no-audit --no-fund && npm run --silent bench

# The recipe is in prompts/prompts.mk, beside the texts.
-include prompts/prompts.mk
ifeq ($(wildcard prompts/prompts.mk),)
prompts:
	@echo "prompts/prompts.mk is missing" >&2; exit 1
endif

# Mutated bytes against every reader, so many a reader, and fresh cases for the property tests; no nightly compiler needed.
FUZZ_ITERATIONS ?= 2000000
fuzz:
	RINGLIFT_FUZZ_ITERATIONS=$(FUZZ_ITERATIONS) $(CARGO) test --locked --release --no-default-features --test fuzz
	PROPTEST_CASES=20000 $(CARGO) test --locked --release --no-default-features --lib properties

# Needs Node.js 18 or later, which Debian has; building the program does not.
web:
	@cd web && npm ci --silent --no-audit --no-fund && npm run --silent check && npm run --silent build

web-check: web
	@git diff --exit-code --stat -- web/dist || { echo "web/dist was not what web/src makes: commit it" >&2; exit 1; }
	@cd web && npm test --silent

clean:
	$(CARGO) clean
