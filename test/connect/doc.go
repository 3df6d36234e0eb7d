// Package connect follows the recipe of docs/metrics.md, "Into PostgreSQL", with real servers: the rows of metrics come into a table
// of PostgreSQL through Kafka Connect and the files of deployments/connect, and the statements that the recipe shows are run.
package connect
