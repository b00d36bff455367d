package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// definition is a constraint or index that is dropped while rows are loaded.
type definition struct {
	Kind, Table, Name, Text string // Kind: f a foreign key, p or u another key, i an index
}

type definitions []definition

// constraints reads the keys and indexes of our tables: all foreign keys, and
// the other keys and indexes of the filled tables.
func (l *loading) constraints(ctx context.Context) (found definitions, err error) {
	filled := []string{"users", "trees", "messages", "message_trees", "emoji_aggregates",
		"label_votes", "reactions", "classifier_outputs"}
	err = l.with(ctx, "public", func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `
			SELECT contype::text AS kind, conrelid::regclass::text AS table, conname::text AS name,
				pg_get_constraintdef(oid) AS text FROM pg_constraint
			WHERE connamespace = 'public'::regnamespace AND (contype = 'f' OR contype IN ('p', 'u')
				AND conrelid = ANY ($1::regclass[]))
			UNION ALL
			SELECT 'i', i.indrelid::regclass::text, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
			WHERE i.indrelid = ANY ($1::regclass[]) AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid
				AND c.contype IN ('p', 'u'))
			ORDER BY 1, 2, 3`, filled)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[definition])
		return err
	})
	return found, err
}

func (d definitions) equal(other definitions) bool { return slices.Equal(d, other) }

// each joins a statement for each definition of the kinds.
func (d definitions) each(kinds string, statement func(definition) string) string {
	var sql strings.Builder
	for _, kind := range kinds {
		for _, one := range d {
			if one.Kind == string(kind) {
				sql.WriteString(statement(one) + ";\n")
			}
		}
	}
	return sql.String()
}

// drop drops all of them, foreign keys first.
func (d definitions) drop() string {
	return d.each("fpui", func(one definition) string {
		if one.Kind == "i" {
			return "DROP INDEX " + one.Name
		}
		return fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", one.Table, one.Name)
	})
}

func (d definition) add() string {
	if d.Kind == "i" {
		return d.Text
	}
	return fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", d.Table, d.Name, d.Text)
}

// build makes the keys and indexes of one table, buildRest those of all others.
func (d definitions) build(table string) string { return d.where(table, true) }

func (d definitions) buildRest(table string) string { return d.where(table, false) }

func (d definitions) where(table string, wanted bool) string {
	chosen := slices.DeleteFunc(slices.Clone(d), func(one definition) bool { return (one.Table == table) != wanted })
	return chosen.each("pui", definition.add)
}

// relate makes the foreign keys.
func (d definitions) relate() string { return d.each("f", definition.add) }
