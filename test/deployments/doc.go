// Package deployments tests what is in deployments/, docker-compose.yml and .goreleaser.yaml. What needs tools that `make deployment-tools` brings has
// the build tag slow: building these takes minutes. Debian's packages prometheus and systemd bring the others.
//
//go:generate cp ../../deployments/prometheus/rules.yml ../../deployments/helm/pqlstream/files/rules.yml
//go:generate cp ../../deployments/grafana/pqlstream.json ../../deployments/helm/pqlstream/files/dashboard.json
package deployments
