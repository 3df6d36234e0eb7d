// Package deployments tests what is in deployments/, docker-compose.yml and .goreleaser.yaml. What needs tools that `make deployment-tools` brings, or
// Debian's package prometheus, has the build tag slow.
//
//go:generate cp ../../deployments/prometheus/rules.yml ../../deployments/helm/pqlstream/files/rules.yml
//go:generate cp ../../deployments/grafana/pqlstream.json ../../deployments/helm/pqlstream/files/dashboard.json
package deployments
