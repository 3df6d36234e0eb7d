# `make help` lists what there is.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-builtin-rules

BUILD    := build
PACKAGES := ./cmd/... ./config/... ./pkg/... ./schemas/... ./test/...

# What `make generate` writes. `make test` fails when one is not what its source makes of it.
GENERATED := docs/checklist.md docs/configuration.md docs/cli.md docs/metrics-reference.md \
  deployments/helm/pqlstream/files/rules.yml deployments/helm/pqlstream/files/dashboard.json

# Stamped into the program; without it the program names the commit it was built from.
VERSION ?=

# As releases are built. Without what debuggers read, nothing of which profiles and stack traces need, all that is compiled takes an eighth less time.
GO_BUILD = CGO_ENABLED=0 go build -trimpath -gcflags=all=-dwarf=false -ldflags '-s -w -X main.version=$(VERSION)' -o bin/pqlstream ./cmd/pqlstream

LINT_VERSION := v2.15.0
LINT         := $(BUILD)/bin/golangci-lint-$(LINT_VERSION)

# The race detector needs a C compiler.
RACE := $(shell command -v "$$(go env CC)" > /dev/null 2>&1 && echo -race)
# Two packages at a time: more brokers at once would starve each other on two cores.
TEST := go test -json -count=1 -p 2 $(RACE)
# Metrics computed once more, in SQL: a module of its own, since DuckDB is large and needs a C compiler.
TEST_SQL := $(if $(RACE),go -C test/sql test -json -count=1 -tags slow -timeout 30m ./...,true)
# What was skipped, a line each; the report says it at the end.
SKIPPED := $(BUILD)/skipped

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## the whole pipeline on sample data, in one process, without any service; on a terminal with the page
	@$(GO_BUILD) # not go run, which calls Ctrl-C a failure
	@bin/pqlstream demo

.PHONY: build
build: ## the program, to bin/pqlstream
	$(GO_BUILD)

.PHONY: test
test: checks budget kafka-if-possible ## format, lint, generated files, and all tests, on real servers where the machine has them
	$(TEST) -timeout 9m $(PACKAGES) | tee $(BUILD)/test.json | go run ./test/report -also-skipped $(SKIPPED)
	@echo 'not run: the slow tests: soaks, many seeds, Kafka 3.9, Kafka Connect, a year of metrics in SQL, the chart, the release; make test-slow runs them, too'

.PHONY: test-slow
test-slow: checks budget kafka kafka-3.9 connect deployment-tools ## the tests, and those that take long: soaks, many seeds, Kafka 3.9, Kafka Connect, a year of metrics in SQL, the chart
	{ $(TEST) -tags slow -timeout 60m $(PACKAGES) || failed=1; $(TEST_SQL) || failed=1; exit $${failed:-0}; } | tee $(BUILD)/test.json | \
	  go run ./test/report -also-skipped $(SKIPPED)

# Without the race detector, under which a browser and a demo beside it take minutes more: test-slow has them with it.
TEST_PAGE := go test -json -count=1 -p 1 -tags slow -timeout 15m
.PHONY: test-page
test-page: ## the page in Chromium, by itself and with the demo, its accessibility, and a Python client of the API; needs Chromium and Python 3
	{ $(TEST_PAGE) ./pkg/api/... || failed=1; $(TEST_PAGE) -run '^(TestThePage|TestTheRows|TestAnEvent)' ./pkg/app/demo || failed=1; exit $${failed:-0}; } | \
	  tee $(BUILD)/test-page.json | go run ./test/report

.PHONY: test-sql
test-sql: ## compute the metrics of some weeks once more in DuckDB, which this downloads; needs a C compiler
	go -C test/sql vet -tags slow ./...
	go -C test/sql test -count=1 ./...

.PHONY: checks
checks: skips-none format vet lint-if-installed generated
ifeq ($(RACE),)
	@echo 'the race detector, and what test-slow has of test/sql: there is no C compiler: install one (Debian: apt-get install gcc libc6-dev)' >> $(SKIPPED)
endif

# Apart from the other tests: the race detector changes what is allocated.
.PHONY: budget
budget: ## fail when an event takes more, or less, than test/bench/budget.json says
	go test -count=1 -run '^TestBudget$$' ./test/bench

.PHONY: skips-none
skips-none:
	@mkdir -p $(BUILD) && : > $(SKIPPED)

.PHONY: format
format: ## fail when a file is not as gofmt writes it
	@files=$$(gofmt -l cmd config pkg schemas test); \
	if [ -n "$$files" ]; then echo "not formatted, run gofmt -w on:" $$files >&2; exit 1; fi

.PHONY: vet
vet: ## go vet
	go vet -tags slow $(PACKAGES)

.PHONY: lint
lint: $(LINT) ## the linters of .golangci.yml, the import rules among them
	$(LINT) run --build-tags slow $(PACKAGES)

# Building the linters takes minutes the first time: it is not done unasked.
.PHONY: lint-if-installed
lint-if-installed: skips-none
	@if [ -x $(LINT) ]; then echo $(LINT) run; $(LINT) run --build-tags slow $(PACKAGES); \
	else echo 'the linters: not installed: run `make tools`' >> $(SKIPPED); fi

.PHONY: tools
tools: $(LINT) ## install the linters, to build/bin
$(LINT):
	GOBIN=$(CURDIR)/$(BUILD)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv $(BUILD)/bin/golangci-lint $@

.PHONY: generate
generate: ## write the files that are made from others
	go generate $(PACKAGES)

.PHONY: generated
generated: ## fail when a generated file is not up to date (and bring it up to date)
	@before=$$(cksum $(GENERATED)); go generate $(PACKAGES); after=$$(cksum $(GENERATED)); \
	if [ "$$before" != "$$after" ]; then \
	  echo 'generated files were not up to date, they are now; commit them:' >&2; \
	  diff <(echo "$$before") <(echo "$$after") | sed -n 's/^> [0-9]* [0-9]* /  /p' >&2; exit 1; \
	fi

.PHONY: kafka kafka-3.9
kafka: $(BUILD)/kafka/4 ## the jars of the broker that tests start
kafka-3.9: $(BUILD)/kafka/3.9 ## those of Kafka 3.9, for test-slow
$(BUILD)/kafka/4: PROFILE :=
$(BUILD)/kafka/3.9: PROFILE := -P kafka-3.9
$(BUILD)/kafka/%: test/servers/pom.xml
	rm -rf $@ $@.part
	mvn -q -B -f $< $(PROFILE) dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$@.part
	mv $@.part $@
	touch $@

# What test/connect runs; it needs PostgreSQL besides (Debian: apt-get install postgresql). docs/metrics.md names the same connector.
CONNECTOR := io.debezium:debezium-connector-jdbc:3.6.0.Final:tar.gz:plugin
.PHONY: connect
connect: $(BUILD)/connect/jars $(BUILD)/connect/plugins ## Kafka Connect and the connector of docs/metrics.md, for test-slow
$(BUILD)/connect/jars: test/servers/connect.pom.xml
	rm -rf $@ $@.part
	mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$@.part
	mv $@.part $@
	touch $@
$(BUILD)/connect/plugins: Makefile
	rm -rf $@ $@.part
	mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact=$(CONNECTOR) -DoutputDirectory=$(CURDIR)/$@.part
	cd $@.part && tar -xzf *.tar.gz && rm *.tar.gz
	mv $@.part $@
	touch $@

# What test/deployments holds the chart and the release against. Alerts are held against promtool, by `make test` already (Debian: apt-get install prometheus).
HELM        := $(BUILD)/bin/helm-v3.22.0
KUBECONFORM := $(BUILD)/bin/kubeconform-v0.8.0
GORELEASER  := $(BUILD)/bin/goreleaser-v2.16.0
.PHONY: deployment-tools
deployment-tools: $(HELM) $(KUBECONFORM) $(GORELEASER) $(BUILD)/schemas ## helm, kubeconform with schemas, and goreleaser, for test-slow
$(HELM): MODULE := helm.sh/helm/v3/cmd/helm
$(KUBECONFORM): MODULE := github.com/yannh/kubeconform/cmd/kubeconform
$(GORELEASER): MODULE := github.com/goreleaser/goreleaser/v2
$(HELM) $(KUBECONFORM) $(GORELEASER):
	GOBIN=$(CURDIR)/$(BUILD)/bin go install $(MODULE)@$(lastword $(subst -, ,$@))
	mv $(firstword $(subst -, ,$@)) $@

# The schemas of Kubernetes come as a Python package, others lie in their Go modules. $(call module,MODULE@VERSION): its folder.
module = $$(go mod download -json $(1) | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
KUBERNETES := v1.25.0 v1.31.0 v1.37.0
$(BUILD)/schemas: Makefile
	rm -rf $@ $@.part && mkdir -p $@.part/wheel
	pip download -q --disable-pip-version-check --no-deps --only-binary :all: -d $@.part/wheel kubernetes-validate==1.37.0
	cd $@.part/wheel && python3 -m zipfile -e *.whl .
	for v in $(KUBERNETES); do mv $@.part/wheel/kubernetes_validate/kubernetes-json-schema/$$v-local-strict $@.part/$$v; done
	sed -i 's#"/api/_definitions.json\##"_definitions.json\##; s#^  "$$id":#  "x-id":#' $@.part/v*/*.json # as files that lie beside one another
	cp "$(call module,github.com/kedacore/keda/v2@v2.21.0)/config/crd/bases/keda.sh_scaledobjects.yaml" $@.part
	cp "$(call module,github.com/prometheus-operator/prometheus-operator@v0.85.0)/example/prometheus-operator-crd/"*_{servicemonitors,prometheusrules}.yaml $@.part
	cp "$(call module,github.com/compose-spec/compose-go/v2@v2.16.2)/schema/compose-spec.json" $@.part/compose.json
	rm -r $@.part/wheel && chmod -R u+w $@.part && mv $@.part $@ && touch $@

# Without Maven or Java the tests that need a broker skip themselves and say what to install.
.PHONY: kafka-if-possible
kafka-if-possible:
	@if command -v mvn > /dev/null && command -v java > /dev/null; then $(MAKE) --no-print-directory kafka; fi

# Where results go, as JSON, for `make performance`. test/bench/doc.go says what the environment sets.
OUT ?= $(BUILD)/bench

# $(call measure,BENCHMARK,FLAGS): one round of a benchmark is one run of the servers, so none is repeated.
measure = OUT=$(abspath $(OUT)) go test $(2) -run '^$$' -bench '^Benchmark($(1))$$' -benchtime 1x -timeout 60m ./test/bench

.PHONY: bench
bench: bench-kinds kafka ## bench-kinds, then the program beside others on a real broker and Redis: catching up, live
	$(call measure,CatchUp|Live)

.PHONY: bench-kinds
bench-kinds: ## ns and allocations an event, for each kind of step
	go test -run '^$$' -bench '^BenchmarkKinds$$' -benchtime 0.2s ./pkg/checklist ./pkg/account

.PHONY: bench-accounts bench-processes bench-rebuild bench-start bench-page bench-rates bench-metrics bench-profile
bench-accounts: kafka ## what an event costs with up to 5 million accounts
	$(call measure,Accounts)
bench-processes: kafka ## 1, 2 and 4 processes on the same cores
	$(call measure,Processes)
bench-rebuild: kafka ## filling an empty Redis, beside what Redis can take
	$(call measure,Rebuild)
bench-start: kafka ## from the start of the process to the first record
	$(call measure,Start)
bench-page: kafka ## the page in Chromium, and the API, with 100,000 accounts in Redis, all PQLs
	$(call measure,Page,-tags slow)
bench-rates: kafka ## what an event costs at 1,000 to 100,000 events/s
	$(call measure,Rates)
bench-metrics: kafka ## what metrics add to what an event costs
	$(call measure,Metrics|MetricsLive)
bench-profile: kafka ## a CPU profile and its flame graph, docs/performance.svg
	$(call measure,Profile)
	go tool pprof -traces $(OUT)/cpu.pprof 2> /dev/null | go run ./test/bench/flame > docs/performance.svg
	go tool pprof -top -nodecount=30 $(OUT)/cpu.pprof 2> /dev/null | sed '/^File:/d; /^Build ID:/d; /^Time:/d' > $(OUT)/profile.txt

.PHONY: performance
performance: ## write what was measured into docs/performance.md
	go run ./test/bench/performance -results $(OUT)

.PHONY: bench-budget
bench-budget: ## write anew what an event may take in allocations and bytes, test/bench/budget.json
	UPDATE_BUDGET=1 go test -count=1 -run '^TestBudget$$' ./test/bench

.PHONY: bench-micro
bench-micro: ## the inner loops, without servers
	go test -run '^$$' -bench . -benchmem ./pkg/...

.PHONY: clean
clean: ## remove what make made
	rm -rf $(BUILD) bin
